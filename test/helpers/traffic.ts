/**
 * Real senders and receivers, run inside a namespace.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { NetworkEnd } from './namespaces.ts';

/** The file of a traffic script. */
export function scriptPath(name: string): string {
  return fileURLToPath(new URL(`./traffic/${name}.mjs`, import.meta.url));
}

/** A program that said "ready" and goes on. */
export interface Running {
  readonly child: ChildProcess;
  /** Its whole output but the first line, when it has ended. */
  readonly output: Promise<string>;
}

/** Starts a traffic script and waits until it is ready. */
export async function startScript(
  end: NetworkEnd,
  name: string,
  args: readonly (string | number)[],
): Promise<Running> {
  return waitReady(end.spawn(process.execPath, [scriptPath(name), ...args.map(String)]));
}

/** Waits for the line "ready" of a program. */
export function waitReady(child: ChildProcess): Promise<Running> {
  let text = '';
  let errors = '';
  child.stderr?.on('data', (chunk) => {
    errors += chunk;
  });
  return new Promise((resolve, reject) => {
    const ended = new Promise<string>((done) => {
      child.once('close', () => {
        done(text.slice(text.indexOf('\n') + 1));
        reject(new Error(`ended before it was ready: ${errors || text}`));
      });
    });
    child.stdout?.on('data', (chunk) => {
      text += chunk;
      if (text.startsWith('ready\n')) resolve({ child, output: ended });
    });
  });
}

/** Runs a traffic script to its end and returns its output. */
export async function runScript(
  end: NetworkEnd,
  name: string,
  args: readonly (string | number)[],
): Promise<string> {
  const result = await end.exec(process.execPath, [scriptPath(name), ...args.map(String)], {
    timeoutMs: 110_000,
  });
  if (result.code !== 0) throw new Error(`${name} failed: ${result.stderr}`);
  return result.stdout;
}
