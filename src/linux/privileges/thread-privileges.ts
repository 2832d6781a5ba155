/**
 * What the main thread of this process may do.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { CAPABILITY } from '../sys/constants.ts';
import { fileCall } from '../sys/file-error.ts';

/** A capability by the name of linux/capability.h. */
export type Capability = keyof typeof CAPABILITY;

/** A set of capabilities: one bit each, by number. */
export type CapabilitySet = bigint;

/** From `/proc/self/status` (proc_pid_status(5)). */
export interface ThreadPrivileges {
  readonly permitted: CapabilitySet;
  /** Nothing that this process starts can have more, by whatever file. */
  readonly hasNoNewPrivileges: boolean;
}

export function readPrivileges(): ThreadPrivileges {
  const status = fileCall('read the capabilities of this process', () =>
    readFileSync('/proc/self/status', 'utf8'),
  );
  return {
    permitted: BigInt(`0x${fieldOf(status, 'CapPrm')}`),
    hasNoNewPrivileges: fieldOf(status, 'NoNewPrivs') === '1',
  };
}

function fieldOf(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(\\w+)$`, 'm').exec(status)?.[1] ?? '0';
}

/** The bits of some capabilities. */
export function toSet(names: readonly Capability[]): CapabilitySet {
  return names.reduce((set, name) => set | bitOf(name), 0n);
}

/** Those of `names` that a set does not have. */
export function missingFrom(set: CapabilitySet, names: readonly Capability[]): Capability[] {
  return names.filter((name) => (set & bitOf(name)) === 0n);
}

function bitOf(name: Capability): bigint {
  return 1n << BigInt(CAPABILITY[name]);
}
