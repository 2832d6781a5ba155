/**
 * Processes of their own that open and close handles.
 *
 * @module
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { OpenOptions } from '../../src/index.ts';

const SCRIPT = fileURLToPath(new URL('./handle-process.mjs', import.meta.url));

/** What such a process says of a handle it opened. */
export interface Opened {
  readonly pid: number;
  /** Its clock before and after, nanoseconds. */
  readonly before: bigint;
  readonly after: bigint;
}

export class HandleProcess implements AsyncDisposable {
  readonly child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: AsyncIterator<string>) {
    this.child = child;
    this.#lines = lines;
  }

  /** @param prefix command that runs the process, e.g. setpriv and its arguments */
  static async start(prefix: readonly string[] = []): Promise<HandleProcess> {
    const [file = '', ...args] = [...prefix, process.execPath, SCRIPT];
    const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const started = new HandleProcess(child, lines);
    const { value } = await lines.next();
    if (value !== 'ready') throw new Error(`said ${value} instead of being ready`);
    return started;
  }

  get pid(): number {
    return Number(this.child.pid);
  }

  async open(key: string, filter: string, options: OpenOptions): Promise<Opened> {
    const { pid, before, after } = await this.#call({ command: 'open', key, filter, options });
    return { pid: Number(pid), before: BigInt(String(before)), after: BigInt(String(after)) };
  }

  async close(key: string): Promise<void> {
    await this.#call({ command: 'close', key });
  }

  async setFilter(key: string, filter: string): Promise<void> {
    await this.#call({ command: 'setFilter', key, filter });
  }

  async burst(filter: string, options: OpenOptions, count: number): Promise<void> {
    await this.#call({ command: 'burst', filter, options, count });
  }

  async register(filter: string, priority: number, count: number): Promise<void> {
    await this.#call({ command: 'register', filter, priority, count });
  }

  /** kill -9 */
  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async #call(command: object): Promise<Record<string, unknown>> {
    this.child.stdin?.write(`${JSON.stringify(command)}\n`);
    const { value } = await this.#lines.next();
    if (value === undefined) throw new Error(`ended at ${JSON.stringify(command)}`);
    const reply = JSON.parse(value);
    if (reply.error) throw new Error(reply.error);
    return reply;
  }
}
