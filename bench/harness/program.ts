/** A program on a processor of its own, inside a namespace, and what it costs. */

import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import type { NetworkEnd } from '../../test/helpers/namespaces.ts';

const READY_TIMEOUT_MS = 60_000;
const END_TIMEOUT_MS = 10_000;
const NS_PER_US = 1000;
/** The sender and the receiver have this processor... */
export const TRAFFIC_CPU = 0;
/** ...and what is measured has this one. */
export const TOOL_CPU = 1;

/** What to start. */
export interface Command {
  readonly file: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Processor, default {@link TOOL_CPU}; or several, as `taskset` takes them. */
  readonly cpu?: number | string;
  /** Scheduling priority, default 0; 10 for senders, which come behind the receivers. */
  readonly nice?: number;
}

/** A program that was started. */
export class Program {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;
  #text = '';
  #wake: () => void = () => {};

  constructor(end: NetworkEnd, command: Command) {
    const { file, args = [], env = {}, cpu = TOOL_CPU, nice = 0 } = command;
    const prefix = ['-c', `${cpu}`, 'nice', '-n', `${nice}`];
    this.#child = end.spawn('taskset', [...prefix, file, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = once(this.#child, 'close');
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#text += text;
        this.#wake();
      });
    }
    void this.#ended.then(() => this.#wake());
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits for a line that says so. */
  async ready(pattern: RegExp = /READY|listening on/i): Promise<this> {
    const timeout = setTimeout(() => this.#child.kill('SIGKILL'), READY_TIMEOUT_MS);
    while (!pattern.test(this.#text)) {
      if (this.#hasEnded) throw new Error(`did not start: ${this.#text.trim()}`);
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    clearTimeout(timeout);
    return this;
  }

  /** Waits for its end and returns all it printed. */
  async output(timeoutMs: number = END_TIMEOUT_MS): Promise<string> {
    const timeout = setTimeout(() => this.#child.kill('SIGKILL'), timeoutMs);
    await this.#ended;
    clearTimeout(timeout);
    return this.#text;
  }

  /** Waits for its end and returns the last line of JSON it printed. */
  async result<T>(timeoutMs?: number): Promise<T> {
    const text = await this.output(timeoutMs);
    const line = text.split('\n').findLast((one) => one.startsWith('{'));
    if (line === undefined) throw new Error(`printed no result: ${text.trim()}`);
    return JSON.parse(line);
  }

  /** Asks it to end and waits. */
  async stop(): Promise<void> {
    if (this.#hasEnded) return;
    const timeout = setTimeout(() => this.#child.kill('SIGKILL'), END_TIMEOUT_MS);
    this.#child.kill('SIGTERM');
    await this.#ended;
    clearTimeout(timeout);
  }

  pause(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** Time all its threads had on a processor, microseconds. */
  cpuTimeUs(): number {
    let total = 0;
    for (const thread of readdirSync(`/proc/${this.pid}/task`)) {
      const text = readFileSync(`/proc/${this.pid}/task/${thread}/schedstat`, 'utf8');
      total += Number(text.split(' ')[0]);
    }
    return total / NS_PER_US;
  }

  get #hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }
}
