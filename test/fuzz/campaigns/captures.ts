/** Readers of capture files. */

import { readFileSync } from 'node:fs';
import { networkLayer } from '../../../src/pcap/index.ts';
import type { Random } from '../../helpers/random.ts';
import { chunked, readAll } from '../../pcap/helpers.ts';
import type { Campaign } from '../campaign.ts';
import { expectInside, mutateBytes } from '../mutate.ts';

const DEMO = new URL('../../../captures/demo.pcapng', import.meta.url);
const SEED_BYTES = 4_000;
const whole = Uint8Array.from(readFileSync(DEMO));

/** A classic file of one packet, in one of the four forms. */
function classic(random: Random): Uint8Array {
  const packet = random.bytes(random.below(80));
  const bytes = new Uint8Array(40 + packet.length);
  const view = new DataView(bytes.buffer);
  const little = random.chance(50);
  view.setUint32(0, random.pick([0xa1b2c3d4, 0xa1b23c4d]), little);
  view.setUint16(4, 2, little);
  view.setUint16(6, 4, little);
  view.setUint32(16, random.pick([0, 65_535, 262_144]), little);
  view.setUint32(20, random.pick([0, 1, 9, 12, 101, 113, 276]), little);
  view.setUint32(32, packet.length, little);
  view.setUint32(36, packet.length, little);
  bytes.set(packet, 40);
  return bytes;
}

async function check(bytes: Uint8Array): Promise<void> {
  const { records, error } = await readAll(bytes);
  const code = (error as { code?: unknown } | null)?.code;
  if (error !== null && code !== 'bad-capture') throw error;
  const inChunks = await readAll(chunked(bytes, 1 + (bytes.length % 61)));
  if (inChunks.records.length !== records.length) throw new Error('other records in chunks');
  for (const record of records) {
    expectInside(record.bytes, (copy) => networkLayer({ ...record, bytes: copy })?.slice() ?? null);
    if (record.bytes.buffer !== bytes.buffer) throw new Error('a record of other bytes');
  }
}

/** pcap and pcapng. */
export const CAPTURES: Campaign = {
  name: 'captures',
  generate: (random) => {
    if (random.chance(30)) return mutateBytes(random, classic(random));
    return mutateBytes(random, whole.subarray(0, random.between(1, SEED_BYTES)));
  },
  check: (input) => check(input as Uint8Array),
};
