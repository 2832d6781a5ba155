/**
 * Running something without capabilities that the process has and gets back.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { CAPABILITY, CAPSET } from '../../src/linux/sys/constants.ts';
import { check, libc } from '../../src/linux/sys/libc.ts';

const WORD_BITS = 32n;
const WORD_MASK = 0xffffffffn;

/** Takes capabilities out of the effective set of this thread, which has to be the main one, while `run` does. */
export function withoutCapabilities<Result>(
  names: readonly (keyof typeof CAPABILITY)[],
  run: () => Result,
): Result {
  const permitted = setOf('CapPrm');
  const before = setOf('CapEff');
  const less = names.reduce((set, name) => set & ~(1n << BigInt(CAPABILITY[name])), before);
  setCapabilities(less, permitted);
  try {
    return run();
  } finally {
    setCapabilities(before, permitted);
  }
}

function setOf(field: string): bigint {
  const status = readFileSync('/proc/self/status', 'utf8');
  return BigInt(`0x${new RegExp(`^${field}:\\s*(\\w+)$`, 'm').exec(status)?.[1] ?? '0'}`);
}

function setCapabilities(effective: bigint, permitted: bigint): void {
  const header = new Uint8Array(CAPSET.HEADER_BYTES);
  new DataView(header.buffer).setUint32(0, CAPSET.VERSION_3, true);
  const data = new Uint8Array(2 * CAPSET.DATA_BYTES);
  const view = new DataView(data.buffer);
  for (const [set, field] of [
    [effective, CAPSET.EFFECTIVE],
    [permitted, CAPSET.PERMITTED],
  ] as const) {
    view.setUint32(field, Number(set & WORD_MASK), true);
    view.setUint32(CAPSET.DATA_BYTES + field, Number(set >> WORD_BITS), true);
  }
  check(libc.capset(header, data), 'capset', 'set capabilities');
}
