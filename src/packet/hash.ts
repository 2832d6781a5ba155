/**
 * The packet hash of `WinDivertHelperHashPacket`: XXH64's round, merge and avalanche over the fixed
 * part of the IP and transport headers. Options, extension headers and payload do not matter.
 *
 * 64-bit values are two 32-bit halves in a working array, low half first.
 *
 * @module
 */

import { int32At, itemAt, readInt32LE } from './bytes.ts';
import { PacketScan, scanPacket } from './layout.ts';

const PRIME64_1_LOW = 0x85ebca87;
const PRIME64_1_HIGH = 0x9e3779b1;
const PRIME64_2_LOW = 0x27d4eb4f;
const PRIME64_2_HIGH = 0xc2b2ae3d;
const PRIME64_3_LOW = 0x9e3779f9;
const PRIME64_3_HIGH = 0x165667b1;
const PRIME64_4_LOW = 0xc2b2ae63;
const PRIME64_4_HIGH = 0x85ebca77;

/** K0..K7: what the inputs (0..3) and the lanes (4..7) are exclusive-ored with. */
const KEYS: Int32Array = Int32Array.of(
  ...[0x71374491, 0x428a2f98, 0xe9b5dba5, 0xb5c0fbcf, 0x59f111f1, 0x3956c25b, 0xab1c5ed5],
  ...[0x923f82a4, 0x12835b01, 0xd807aa98, 0x550c7dc3, 0x243185be, 0x80deb1fe, 0x72be5d74],
  ...[0xc19bf174, 0x9bdc06a7],
);

/** Where the working array has its 64-bit values: four inputs, four lanes (in the order of K0..K7), the hash. */
const INPUTS = 0;
const LANES = 8;
const HASH = 16;
const work: Int32Array = new Int32Array(18);

/** XXH64 adds the length of its input, here always four words of eight bytes. */
const HASHED_BYTES = 32;

function load(at: number, memory: Uint8Array, offset: number): void {
  work[at] = readInt32LE(memory, offset);
  work[at + 1] = readInt32LE(memory, offset + 4);
}

function loadHalf(at: number, memory: Uint8Array, offset: number): void {
  work[at] = readInt32LE(memory, offset);
  work[at + 1] = 0;
}

/** Upper half of the product of two unsigned 32-bit numbers; no intermediate sum overflows 32 bits. */
function multiplyHigh(a: number, b: number): number {
  const aLow = a & 0xffff;
  const aHigh = a >>> 16;
  const bLow = b & 0xffff;
  const bHigh = b >>> 16;
  const first = (Math.imul(aHigh, bLow) + (Math.imul(aLow, bLow) >>> 16)) | 0;
  const second = (Math.imul(aLow, bHigh) + (first & 0xffff)) | 0;
  return (Math.imul(aHigh, bHigh) + (first >>> 16) + (second >>> 16)) | 0;
}

/** Upper half of the product of two 64-bit numbers modulo 2^64; the lower is `Math.imul(low, byLow)`. */
function multiplyWide(low: number, high: number, byLow: number, byHigh: number): number {
  return (multiplyHigh(low, byLow) + Math.imul(low, byHigh) + Math.imul(high, byLow)) | 0;
}

/** What is carried into the upper half when a sum came out as `sum` with `part` in it. */
function carry(sum: number, part: number): number {
  return sum >>> 0 < part >>> 0 ? 1 : 0;
}

/** XXH64's round over the input at `at`, where the result goes. */
function round(at: number, fromLow: number, fromHigh: number): void {
  const inputLow = int32At(work, at);
  const inputHigh = int32At(work, at + 1);
  const low = (Math.imul(inputLow, PRIME64_2_LOW) + fromLow) | 0;
  const product = multiplyWide(inputLow, inputHigh, PRIME64_2_LOW, PRIME64_2_HIGH);
  const high = (product + fromHigh + carry(low, fromLow)) | 0;
  const rotatedLow = (low << 31) | (high >>> 1);
  const rotatedHigh = (high << 31) | (low >>> 1);
  work[at] = Math.imul(rotatedLow, PRIME64_1_LOW);
  work[at + 1] = multiplyWide(rotatedLow, rotatedHigh, PRIME64_1_LOW, PRIME64_1_HIGH);
}

/** `hash += rotate(value, bits)`, for less than 32 bits. */
function addRotated(at: number, bits: number): void {
  const low = int32At(work, at);
  const high = int32At(work, at + 1);
  const rotatedLow = (low << bits) | (high >>> (32 - bits));
  const rotatedHigh = (high << bits) | (low >>> (32 - bits));
  const sum = (int32At(work, HASH) + rotatedLow) | 0;
  work[HASH] = sum;
  work[HASH + 1] = int32At(work, HASH + 1) + rotatedHigh + carry(sum, rotatedLow);
}

function merge(at: number): void {
  round(at, 0, 0);
  const low = int32At(work, HASH) ^ int32At(work, at);
  const high = int32At(work, HASH + 1) ^ int32At(work, at + 1);
  const sum = (Math.imul(low, PRIME64_1_LOW) + PRIME64_4_LOW) | 0;
  const product = multiplyWide(low, high, PRIME64_1_LOW, PRIME64_1_HIGH);
  work[HASH] = sum;
  work[HASH + 1] = product + PRIME64_4_HIGH + carry(sum, PRIME64_4_LOW);
}

/** XXH64's end: the length is added, then every bit affects every other. */
function avalanche(): void {
  let low = (int32At(work, HASH) + HASHED_BYTES) | 0;
  let high = (int32At(work, HASH + 1) + carry(low, HASHED_BYTES)) | 0;
  low ^= high >>> 1;
  high = multiplyWide(low, high, PRIME64_2_LOW, PRIME64_2_HIGH);
  low = Math.imul(low, PRIME64_2_LOW);
  low ^= (low >>> 29) | (high << 3);
  high ^= high >>> 29;
  high = multiplyWide(low, high, PRIME64_3_LOW, PRIME64_3_HIGH);
  low = Math.imul(low, PRIME64_3_LOW);
  work[HASH] = low ^ high;
  work[HASH + 1] = high;
}

/** Fills inputs and lanes from the headers; lanes nothing claims hold the seed. */
function loadHeaders(
  memory: Uint8Array,
  offset: number,
  scan: PacketScan,
  seedLow: number,
  seedHigh: number,
): void {
  work[INPUTS] = seedLow;
  work[INPUTS + 1] = seedHigh;
  for (let at = LANES; at < HASH; at += 2) {
    work[at] = seedLow;
    work[at + 1] = seedHigh;
  }
  load(INPUTS + 2, memory, offset);
  load(INPUTS + 4, memory, offset + 8);
  let lane = LANES;
  if (scan.version === 4) {
    loadHalf(INPUTS + 6, memory, offset + 16);
  } else {
    load(INPUTS + 6, memory, offset + 16);
    load(LANES, memory, offset + 24);
    load(LANES + 2, memory, offset + 32);
    lane += 4;
  }
  if (scan.transportHeaderLength === 0) return;
  const transport = offset + scan.headersEnd;
  load(lane, memory, transport);
  if (scan.tcp < 0) return;
  load(lane + 2, memory, transport + 8);
  if (scan.version === 4) loadHalf(lane + 4, memory, transport + 16);
  // No lane is left: the rest of the TCP header goes into the upper half of an input.
  else work[INPUTS + 3] = int32At(work, INPUTS + 3) ^ readInt32LE(memory, transport + 16);
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
  loadHeaders(memory, offset, scan, seedLow, seedHigh);
  for (let at = 0; at < HASH; at++) work[at] = int32At(work, at) ^ int32At(KEYS, at);
  for (let at = INPUTS; at < LANES; at += 2) {
    round(at, int32At(work, LANES + at), int32At(work, LANES + at + 1));
  }
  work[HASH] = 0;
  work[HASH + 1] = 0;
  addRotated(INPUTS, 1);
  addRotated(INPUTS + 2, 7);
  addRotated(INPUTS + 4, 12);
  addRotated(INPUTS + 6, 18);
  for (let at = INPUTS; at < LANES; at += 2) merge(at);
  avalanche();
  out[0] = int32At(work, HASH);
  out[1] = int32At(work, HASH + 1);
}

const scan: PacketScan = new PacketScan();
const words: Uint32Array = new Uint32Array(2);

/**
 * Hashes the headers of a packet (`WinDivertHelperHashPacket`).
 *
 * @param bytes - from the IP header
 * @param seed - its low 64 bits count
 * @returns 64 bits; 0 for what {@link parsePacket} does not accept
 */
export function hashPacket(bytes: Uint8Array, seed: bigint = 0n): bigint {
  if (!scanPacket(bytes, 0, bytes.length, scan) || scan.ipLength > scan.packetLength) return 0n;
  const seedLow = Number(BigInt.asIntN(32, seed));
  const seedHigh = Number(BigInt.asIntN(32, seed >> 32n));
  hashPacketWords(bytes, 0, scan, seedLow, seedHigh, words);
  return (BigInt(itemAt(words, 1)) << 32n) | BigInt(itemAt(words, 0));
}
