/**
 * Ends a process in which one case goes on for ever, and says which.
 *
 * @module
 */

import { Worker } from 'node:worker_threads';

const HANG_SECONDS = 60;

/** Runs in a thread of its own: the event loop that hangs could not. */
const PROGRAM = `
const { workerData: { name, shared, seconds } } = require('node:worker_threads');
const words = new Uint32Array(shared);
let last = -1, since = Date.now();
setInterval(() => {
  if (words[1] !== last) { last = words[1]; since = Date.now(); return; }
  if (Date.now() - since < seconds * 1000) return;
  require('node:fs').writeSync(2, name + ' SEED=' + words[0] + ': not done after ' + seconds + ' s\\n');
  process.kill(process.pid, 'SIGKILL');
}, 1000);
`;

export class Watchdog implements Disposable {
  readonly #words: Uint32Array;
  readonly #worker: Worker;

  /** @param name of the campaign */
  constructor(name: string) {
    const shared = new SharedArrayBuffer(8);
    this.#words = new Uint32Array(shared);
    this.#worker = new Worker(PROGRAM, {
      eval: true,
      workerData: { name, shared, seconds: HANG_SECONDS },
    });
    this.#worker.unref();
  }

  /** A case begins. */
  begin(seed: number): void {
    this.#words[0] = seed;
    Atomics.add(this.#words, 1, 1);
  }

  [Symbol.dispose](): void {
    void this.#worker.terminate();
  }
}
