/**
 * Makes one system call of the package fail, once. The functions of `libc`, the only ones that reach the
 * kernel through FFI, are replaced in the object that holds them, and so are those of `node:fs` for
 * the files the kernel makes. The package itself has no part in it.
 *
 * @module
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import koffi from 'koffi';
import { BPF_COMMAND } from '../../src/linux/bpf/constants.ts';
import { IOCTL, OPTION } from '../../src/linux/sys/constants.ts';
import { libc } from '../../src/linux/sys/libc.ts';
import { FAULT_ERRNO, type FaultName } from './errnos.ts';

/** The n-th call of a kind fails. */
export interface Fault {
  /** As the seam names it: `send`, `bpf(BPF_MAP_CREATE)`, `openSync(/proc/thread-self/ns/net)`. */
  readonly call: string;
  /** From 1. */
  readonly ordinal: number;
  readonly errno: FaultName;
}

type Anything = (...args: readonly unknown[]) => unknown;

/** Calls whose failure would be no failure of theirs, or that cannot fail. */
const NEVER = new Set(['getpagesize', 'pthread_sigmask']);
/** These have done their work even when they fail. */
const DONE_ANYWAY = new Set(['close', 'munmap']);
const MAP_FAILED = 0xffff_ffff_ffff_ffffn;
const FILE_CALLS = [
  'openSync',
  'readFileSync',
  'readSync',
  'readdirSync',
  'readlinkSync',
  'statSync',
  'writeSync',
  'writeFileSync',
] as const;
const KERNEL_FILES = /^\/(proc|sys|run\/netns|dev)\b/;

function keyOf(numbers: Readonly<Record<string, number>>, value: unknown): string {
  return Object.entries(numbers).find(([, number]) => number === value)?.[0] ?? String(value);
}

const NAMES: Readonly<Record<string, (args: readonly unknown[]) => string>> = {
  bpf: (args) => `bpf(${keyOf(BPF_COMMAND, args[1])})`,
  ioctl: (args) => `ioctl(${keyOf(IOCTL, args[1])})`,
  setsockopt: (args) => `setsockopt(${args[1]}, ${keyOf(OPTION, args[2])})`,
};

function fileCall(name: string, target: unknown): string | null {
  if (typeof target === 'number') return name;
  const path = String(target);
  if (!KERNEL_FILES.test(path)) return null;
  return `${name}(${path.replaceAll(/\d+/g, 'N')})`;
}

/** The calls as they are, for what a test itself does meanwhile. */
export const real: typeof libc = { ...libc };

/** Counts calls, and lets one fail, from `start` to `stop`. */
export class Seam {
  readonly #counts = new Map<string, number>();
  #fault: Fault | null = null;
  #isOn = false;
  /** Whether the fault's call came. */
  hasStruck = false;

  /** Puts the seam in, until disposed. */
  constructor() {
    const table = libc as unknown as Record<string, Anything>;
    for (const [name, call] of Object.entries(real)) {
      if (!NEVER.has(name)) table[name] = this.#wrapCall(name, call as Anything);
    }
    const files = fs as unknown as Record<string, Anything>;
    for (const name of FILE_CALLS) files[name] = this.#wrapFile(name, realFiles[name] as Anything);
    syncBuiltinESMExports();
  }

  /** Begins to count; with a fault, that call fails. */
  start(fault: Fault | null): void {
    this.#counts.clear();
    this.#fault = fault;
    this.hasStruck = false;
    this.#isOn = true;
  }

  /** Ends it. Returns how often each call came. */
  stop(): ReadonlyMap<string, number> {
    this.#isOn = false;
    return new Map(this.#counts);
  }

  [Symbol.dispose](): void {
    this.stop();
    Object.assign(libc, real);
    Object.assign(fs, realFiles);
    syncBuiltinESMExports();
  }

  #strikes(call: string): Fault | null {
    if (!this.#isOn) return null;
    const ordinal = (this.#counts.get(call) ?? 0) + 1;
    this.#counts.set(call, ordinal);
    const fault = this.#fault;
    if (fault?.call !== call || fault.ordinal !== ordinal) return null;
    this.hasStruck = true;
    return fault;
  }

  #wrapCall(name: string, call: Anything): Anything {
    const named = NAMES[name] ?? (() => name);
    return (...args) => {
      const fault = this.#strikes(named(args));
      if (fault === null) return call(...args);
      if (DONE_ANYWAY.has(name)) call(...args);
      koffi.errno(FAULT_ERRNO[fault.errno]);
      return name === 'mmap' ? MAP_FAILED : -1;
    };
  }

  #wrapFile(name: string, call: Anything): Anything {
    return (...args) => {
      const named = fileCall(name, args[0]);
      const fault = named === null ? null : this.#strikes(named);
      if (fault === null) return call(...args);
      const { errno } = fault;
      throw Object.assign(new Error(`${errno}: made to fail, ${named}`), {
        code: errno,
        errno: -FAULT_ERRNO[errno],
        syscall: name.replace(/(File)?Sync$/, ''),
      });
    };
  }
}

const realFiles = Object.fromEntries(FILE_CALLS.map((name) => [name, fs[name]])) as Readonly<
  Record<(typeof FILE_CALLS)[number], unknown>
>;
