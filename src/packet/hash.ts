/**
 * The packet hash of `WinDivertHelperHashPacket`: XXH64's round, merge and avalanche over the fixed
 * part of the IP and transport headers. Options, extension headers and payload do not matter.
 *
 * @module
 */

import { readInt32LE } from './bytes.ts';
import { hashWords } from './hash-bigint.ts';
import { PacketScan, scanPacket } from './layout.ts';
import { packetFunctions } from './wasm/packet-functions.ts';

/** Where the hash is written: as two halves, the lower first, and as one value. */
interface HashOutput {
  readonly words: Uint32Array;
  readonly wideWords: BigUint64Array;
}

const ownOutput: BigUint64Array = new BigUint64Array(1);
const OWN: HashOutput = { wideWords: ownOutput, words: new Uint32Array(ownOutput.buffer) };

/**
 * Hashes a scanned packet. Inputs and lanes are 64-bit values in two halves; lanes nothing claims
 * hold the seed.
 *
 * @returns where the hash is, until the next call
 */
function hashHeaders(
  memory: Uint8Array,
  offset: number,
  scan: PacketScan,
  seedLow: number,
  seedHigh: number,
): HashOutput {
  const { version, transportHeaderLength, tcp, headersEnd } = scan;
  let upper1 = readInt32LE(memory, offset + 4);
  let upper3 = 0;
  let lane0 = seedLow;
  let upperLane0 = seedHigh;
  let lane1 = seedLow;
  let upperLane1 = seedHigh;
  let lane2 = seedLow;
  let upperLane2 = seedHigh;
  let lane3 = seedLow;
  let upperLane3 = seedHigh;
  if (transportHeaderLength !== 0) {
    lane0 = readInt32LE(memory, offset + headersEnd);
    upperLane0 = readInt32LE(memory, offset + headersEnd + 4);
  }
  if (tcp >= 0) {
    lane1 = readInt32LE(memory, offset + tcp + 8);
    upperLane1 = readInt32LE(memory, offset + tcp + 12);
    lane2 = readInt32LE(memory, offset + tcp + 16);
    upperLane2 = 0;
  }
  if (version === 6) {
    // No lane is left for the rest of a TCP header: it goes into the upper half of an input.
    if (tcp >= 0) upper1 ^= lane2;
    lane2 = lane0;
    upperLane2 = upperLane0;
    lane3 = lane1;
    upperLane3 = upperLane1;
    upper3 = readInt32LE(memory, offset + 20);
    lane0 = readInt32LE(memory, offset + 24);
    upperLane0 = readInt32LE(memory, offset + 28);
    lane1 = readInt32LE(memory, offset + 32);
    upperLane1 = readInt32LE(memory, offset + 36);
  }
  const low1 = readInt32LE(memory, offset);
  const low2 = readInt32LE(memory, offset + 8);
  const upper2 = readInt32LE(memory, offset + 12);
  const low3 = readInt32LE(memory, offset + 16);
  const functions = packetFunctions();
  if (functions !== null) {
    // biome-ignore format: two words are one value
    functions.hash(
      seedLow, seedHigh, low1, upper1, low2, upper2, low3, upper3,
      lane0, upperLane0, lane1, upperLane1, lane2, upperLane2, lane3, upperLane3);
    return functions;
  }
  // biome-ignore format: two words are one value
  ownOutput[0] = hashWords([
    seedLow, seedHigh, low1, upper1, low2, upper2, low3, upper3,
    lane0, upperLane0, lane1, upperLane1, lane2, upperLane2, lane3, upperLane3]);
  return OWN;
}

/**
 * Hashes a scanned packet, truncated or not.
 *
 * @param memory - bytes that hold the packet
 * @param offset - where it starts
 * @param scan - its layout
 * @param seedLow - low 32 bits of the seed
 * @param seedHigh - high 32 bits of the seed
 * @param out - gets the low and the high 32 bits of the hash
 * @internal
 */
export function hashPacketWords(
  memory: Uint8Array,
  offset: number,
  scan: PacketScan,
  seedLow: number,
  seedHigh: number,
  out: Uint32Array,
): void {
  const { words } = hashHeaders(memory, offset, scan, seedLow | 0, seedHigh | 0);
  out[0] = wordAt(words, 0);
  out[1] = wordAt(words, 1);
}

function wordAt(words: Uint32Array, index: number): number {
  return words[index] ?? 0;
}

const scan: PacketScan = new PacketScan();
const seedWide: BigInt64Array = new BigInt64Array(1);
const seedWords: Int32Array = new Int32Array(seedWide.buffer);

/**
 * Hashes the headers of a packet (`WinDivertHelperHashPacket`).
 *
 * @param bytes - from the IP header
 * @param seed - its low 64 bits count
 * @returns 64 bits; 0 for what {@link parsePacket} does not accept
 */
export function hashPacket(bytes: Uint8Array, seed: bigint = 0n): bigint {
  if (!scanPacket(bytes, 0, bytes.length, scan) || scan.ipLength > scan.packetLength) return 0n;
  seedWide[0] = seed;
  const { wideWords } = hashHeaders(bytes, 0, scan, seedWords[0] ?? 0, seedWords[1] ?? 0);
  return wideWords[0] ?? 0n;
}
