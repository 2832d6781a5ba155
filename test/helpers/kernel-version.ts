/**
 * Which kernel a test needs. The only way a live test may be left out: it says from which version on the test has to
 * hold and why, and decides by the version alone, never by trying.
 *
 * @module
 */
import { release } from 'node:os';
import type { TestContext } from 'vitest';

/** e.g. `6.17` */
export type KernelVersion = `${number}.${number}`;

const NOTE = /^Linux (\d+\.\d+): (.+)$/;

/**
 * Leaves the test on older kernels: the first line of a test that needs more than the oldest supported kernel has.
 *
 * @param context of the test
 * @param version the first that it holds on
 * @param reason what that version brought, for the list of what was left out
 */
export function since(
  context: Pick<TestContext, 'skip'>,
  version: KernelVersion,
  reason: string,
): void {
  context.skip(isOlder(release(), version), `Linux ${version}: ${reason}`);
}

/** Whether a kernel, as `uname -r` has it, is older than a version. */
export function isOlder(running: string, version: string): boolean {
  return number(running) < number(version);
}

/**
 * @param note of a test that was left out
 * @param running the kernel it was left out on, as `uname -r` has it
 * @returns what is wrong with that; null when it is as {@link since} does it
 */
export function faultOfSkip(note: string | undefined, running: string): string | null {
  const version = NOTE.exec(note ?? '')?.[1];
  if (version === undefined) return 'left out without a kernel version and a reason';
  if (isOlder(running, version)) return null;
  return `left out on Linux ${running}, though it has to hold from ${version} on`;
}

/** Major and minor version as one number that compares: 6.1 is 6001. */
function number(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return major * 1000 + minor;
}
