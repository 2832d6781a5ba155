/** Runs checks one after another and says how each went. Nothing is assumed but Node. */

import { release } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

/** Processors that are emulated need ten to twenty times as long. */
const CHECK_TIMEOUT_MS = 240_000;
const UNTIL_TIMEOUT_MS = 60_000;

let failures = 0;

/**
 * Runs one check. It fails when `action` throws; what it returns is printed behind its name.
 *
 * @returns whether it went well
 */
export async function check(name, action) {
  const start = performance.now();
  try {
    const note = await withTimeout(action());
    const seconds = ((performance.now() - start) / 1000).toFixed(1);
    print(`ok    ${name} (${seconds} s)${note ? `: ${note}` : ''}`);
    return true;
  } catch (error) {
    failures++;
    print(`FAIL  ${name}: ${describe(error)}`);
    return false;
  }
}

/** Prints the result and returns the exit code. */
export function finish() {
  const result = failures === 0 ? 'all checks passed' : `${failures} checks FAILED`;
  print(`Linux ${release()}, Node ${process.versions.node}: ${result}`);
  return failures === 0 ? 0 : 1;
}

/** Waits until `condition` returns something true. */
export async function until(what, condition) {
  for (const end = Date.now() + UNTIL_TIMEOUT_MS; Date.now() < end; await sleep(20)) {
    if (await condition()) return;
  }
  throw new Error(`${what}: not after ${UNTIL_TIMEOUT_MS / 1000} s`);
}

export function print(line) {
  process.stdout.write(`${line}\n`);
}

/** Major and minor version of the running kernel as one number that compares: 5.10 is 5010. */
export function kernelVersion() {
  const [major = 0, minor = 0] = release().split('.').map(Number);
  return major * 1000 + minor;
}

async function withTimeout(promise) {
  let timer;
  const timeout = new Promise((_, reject) => {
    const late = () => reject(new Error(`not done after ${CHECK_TIMEOUT_MS / 1000} s`));
    timer = setTimeout(late, CHECK_TIMEOUT_MS);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

/** What an error says, with what the verifier or the kernel said last. */
function describe(error) {
  const log = error?.log?.slice(-6).join('\n        ');
  const cause = error?.cause ? `\n        because: ${error.cause.message}` : '';
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return `${text}${cause}${log ? `\n        ${log}` : ''}`.replaceAll('\n', '\n      ');
}
