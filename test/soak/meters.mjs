/** What a process uses, and what it has in the kernel. */

import { readdirSync, readlinkSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import koffi from 'koffi';
import { leftOf } from '../kernel/kernel-objects.mjs';

const MIB = 1 << 20;
/** Of `struct mallinfo2` of the GNU C library. */
const MALLINFO2 = ['arena', 'ordblks', 'smblks', 'hblks', 'hblkhd', 'usmblks', 'fsmblks'].concat(
  'uordblks',
  'fordblks',
  'keepcost',
);
const mallinfo2 = koffi
  .load(null)
  .func(
    'mallinfo2',
    koffi.struct(Object.fromEntries(MALLINFO2.map((name) => [name, 'size_t']))),
    [],
  );

/** Bytes that malloc(3) gave out and did not get back: buffers above all. What it keeps for later shows in RSS alone. */
function allocatedBytes() {
  const { uordblks, hblkhd } = mallinfo2();
  return Number(uordblks) + Number(hblkhd);
}

/** What descriptors are open: `socket 6`, each with how many of it there are. */
function descriptorKinds() {
  const kinds = new Map();
  for (const fd of readdirSync('/proc/self/fd')) {
    const kind = kindOf(fd);
    if (kind !== null) kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
}

/** null for the one that the list itself was read with. */
function kindOf(fd) {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`).replace(/:?\[\d+\]$/, '');
  } catch {
    return null;
  }
}

/** Buffers are freed a moment after what held them is found to be garbage. */
async function collectGarbage() {
  for (let round = 0; round < 2; round++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Measures from one `read` to the next. */
export class Meters {
  #ends;
  #delay = monitorEventLoopDelay({ resolution: 5 });

  /** @param ends namespaces that handles are opened in */
  constructor(ends) {
    this.#ends = ends;
    this.#delay.enable();
  }

  /** To be called when all handles are closed. */
  async read() {
    const delay = this.#delay;
    const loop = [delay.percentile(50), delay.percentile(99), delay.max];
    const [loopP50, loopP99, loopMax] = loop.map((nanoseconds) => nanoseconds / 1e6);
    delay.reset();
    const left = await this.#left();
    await collectGarbage();
    const { rss, heapUsed } = process.memoryUsage();
    const { user, system } = process.cpuUsage();
    return {
      rssMiB: rss / MIB,
      heapMiB: heapUsed / MIB,
      nativeMiB: allocatedBytes() / MIB,
      descriptors: readdirSync('/proc/self/fd').length,
      kinds: descriptorKinds(),
      left,
      loopP50,
      loopP99,
      loopMax,
      processorSeconds: (user + system) / 1e6,
    };
  }

  /** Programs are freed by the kernel a moment after their rules. */
  async #left() {
    for (let tries = 0; ; tries++) {
      const left = await leftOf(process.pid, this.#ends);
      const foreign = left.filter((line) => !/ watch$/.test(line));
      if (foreign.length === 0 || tries === 100) return foreign;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  close() {
    this.#delay.disable();
  }
}
