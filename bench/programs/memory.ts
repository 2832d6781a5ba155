/** What a program needs of memory, in the process and in the kernel. */

import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

const MEGABYTE = 1e6;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Memory at one time, megabytes. */
export interface MemoryUse {
  /** Of the process, in RAM (RSS). */
  readonly residentMb: number;
  /** What JavaScript has: objects, and buffers. */
  readonly scriptMb: number;
  /** Of the process's BPF maps in the kernel. */
  readonly mapsMb: number;
}

/** @returns what is in use when all garbage is gone */
export function memoryUse(): MemoryUse {
  // What the first round frees may have finalizers.
  collect();
  collect();
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return {
    residentMb: rss / MEGABYTE,
    scriptMb: (heapUsed + arrayBuffers) / MEGABYTE,
    mapsMb: bpfBytes('bpf-map') / MEGABYTE,
  };
}

/** What the kernel says it has locked for a descriptor's map or program. */
export function lockedBytes(fd: number | string): number {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8');
  return Number(/^memlock:\s*(\d+)$/m.exec(text)?.[1] ?? 0);
}

function bpfBytes(kind: string): number {
  let total = 0;
  for (const fd of readdirSync('/proc/self/fd')) {
    if (linkOf(fd) === `anon_inode:${kind}`) total += lockedBytes(fd);
  }
  return total;
}

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    // That of the folder itself is gone.
    return '';
  }
}
