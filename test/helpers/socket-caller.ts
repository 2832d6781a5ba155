/**
 * A real process that makes the socket calls it is told to and says what came of them.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { NetworkEnd } from './namespaces.ts';

/** What a call did. */
export interface CallResult {
  readonly pid: number;
  /** Name of the errno, `timeout`, or absent. */
  readonly error?: string;
  /** SO_COOKIE, decimal. */
  readonly cookie?: string;
  readonly local?: readonly [string, number];
  readonly remote?: readonly [string, number];
  readonly peer?: readonly [string, number];
  readonly length?: number;
}

/** A socket by its name in the process. */
export type Call = Readonly<Record<string, unknown>> & { readonly do: string };

export interface SocketCaller extends AsyncDisposable {
  readonly pid: number;
  readonly child: ChildProcess;
  /** Makes one call. */
  call(call: Call): Promise<CallResult>;
  /** Makes several in order. */
  calls(...calls: readonly Call[]): Promise<CallResult[]>;
  close(): Promise<void>;
}

const SCRIPT = fileURLToPath(new URL('./traffic/socket-calls.py', import.meta.url));

/** Starts the process inside a namespace. */
export async function startCaller(end: NetworkEnd): Promise<SocketCaller> {
  const child = end.spawn('python3', [SCRIPT], { stdio: ['pipe', 'pipe', 'inherit'] });
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Error('a process without pipes');
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  await lines.next();
  const call = async (what: Call): Promise<CallResult> => {
    stdin.write(`${JSON.stringify(what)}\n`);
    const line = await lines.next();
    if (line.done) throw new Error(`ended at ${JSON.stringify(what)}`);
    return JSON.parse(line.value);
  };
  const close = async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    stdin.end();
    await ended;
  };
  const caller: SocketCaller = {
    pid: child.pid ?? 0,
    child,
    call,
    calls: async (...all) => {
      const results: CallResult[] = [];
      for (const one of all) results.push(await call(one));
      return results;
    },
    close,
    [Symbol.asyncDispose]: close,
  };
  return caller;
}
