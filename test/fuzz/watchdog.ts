/**
 * Ends a process in which one case goes on for ever, and says which.
 *
 * @module
 */

import { Worker } from 'node:worker_threads';

/** Of the processor, and of the clock for one that sleeps: a busy machine has others waiting for minutes. */
const HANG = { processorSeconds: 60, seconds: 600 };

/** Runs in a thread of its own: the event loop that hangs could not. */
const PROGRAM = `
const { workerData: { name, shared, most } } = require('node:worker_threads');
const words = new Uint32Array(shared);
let last = -1, since = Date.now(), start = process.cpuUsage();
setInterval(() => {
  if (words[1] !== last) {
    last = words[1];
    since = Date.now();
    start = process.cpuUsage();
    return;
  }
  const { user, system } = process.cpuUsage(start);
  const seconds = (Date.now() - since) / 1000;
  if ((user + system) / 1e6 < most.processorSeconds && seconds < most.seconds) return;
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
      workerData: { name, shared, most: HANG },
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
