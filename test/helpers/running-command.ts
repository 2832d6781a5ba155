/**
 * Commands that go on until they are ended.
 *
 * @module
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { COMMAND } from './command.ts';

/** A command that runs, with what it has written so far. */
export interface RunningCommand {
  readonly child: ChildProcess;
  readonly output: { stdout: string; stderr: string };
  /** Resolves when standard output or error contains the text; fails when the command ends before. */
  saw(text: string): Promise<void>;
  ended(): Promise<number | null>;
}

/** Starts `netdivert`; the test must see it end. */
export function startCommand(
  args: readonly string[],
  launcher: readonly string[] = [],
): RunningCommand {
  const [file = '', ...rest] = [...launcher, process.execPath, COMMAND, ...args];
  const child = spawn(file, rest, {
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  // A test that gave up waiting leaves nothing running.
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  const output = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text) => {
      output[name] += text;
    });
  }
  const closed = once(child, 'close').then(([code]) => code as number | null);
  const saw = async (text: string): Promise<void> => {
    let over = false;
    closed.then(() => {
      over = true;
    });
    while (!`${output.stdout}\n${output.stderr}`.includes(text)) {
      if (over) throw new Error(`ended without ${text}: ${JSON.stringify(output)}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  return { child, output, saw, ended: () => closed };
}
