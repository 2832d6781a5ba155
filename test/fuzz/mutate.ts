/**
 * Inputs that are nearly right: what a seed input becomes when bytes change, go, come or move.
 *
 * @module
 */

import type { Random } from '../helpers/random.ts';

/** Numbers at which lengths and counts go wrong. */
const EDGES = [0, 1, 2, 3, 4, 7, 8, 0x7f, 0x80, 0xfe, 0xff] as const;
const POISON_BYTES = 64;

/** Damages bytes in a few places. */
export function mutateBytes(random: Random, seed: Uint8Array): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(seed);
  for (let turns = random.between(0, 6); turns > 0; turns--) bytes = mutateOnce(random, bytes);
  return bytes;
}

function mutateOnce(random: Random, bytes: Uint8Array): Uint8Array {
  if (bytes.length === 0) return random.bytes(random.below(64));
  const at = random.below(bytes.length);
  const length = Math.min(random.between(1, 16), bytes.length - at);
  const head = bytes.subarray(0, at);
  switch (random.below(8)) {
    case 0:
      bytes[at] = random.bits();
      return bytes;
    case 1:
      bytes[at] = random.pick(EDGES);
      return bytes;
    case 2:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << random.below(8));
      return bytes;
    case 3:
      return join(head, bytes.subarray(at + length));
    case 4:
      return join(head, random.bytes(length), bytes.subarray(at));
    case 5:
      return join(head, bytes.subarray(at, at + length), bytes.subarray(at));
    case 6:
      return Uint8Array.from(head);
    default:
      bytes.fill(random.pick(EDGES), at, at + random.pick([2, 4, 8]));
      return bytes;
  }
}

function join(...parts: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(parts));
}

/** Damages text in a few places with pieces of the language it is in, and others. */
export function mutateText(random: Random, seed: string, pieces: readonly string[]): string {
  let text = seed;
  for (let turns = random.between(0, 6); turns > 0; turns--) {
    const at = random.below(text.length + 1);
    const length = random.chance(50) ? 0 : random.below(12);
    const piece = random.chance(20) ? '' : random.chance(80) ? random.pick(pieces) : wild(random);
    text = text.slice(0, at) + piece + text.slice(at + length);
  }
  return text;
}

function wild(random: Random): string {
  return String.fromCharCode(random.below(random.pick([128, 0x2100, 0x10000])));
}

/** Bytes between others that nobody may read or change. */
export interface Guarded {
  readonly bytes: Uint8Array;
  /** @throws Error when the bytes around it changed */
  expectUntouched(): void;
}

/** A copy of bytes in the middle of a larger buffer of `poison`. */
export function guard(bytes: Uint8Array, poison: number): Guarded {
  const buffer = new Uint8Array(bytes.length + 2 * POISON_BYTES).fill(poison);
  buffer.set(bytes, POISON_BYTES);
  const end = POISON_BYTES + bytes.length;
  return {
    bytes: buffer.subarray(POISON_BYTES, end),
    expectUntouched: () => {
      const around = [...buffer.subarray(0, POISON_BYTES), ...buffer.subarray(end)];
      if (around.some((byte) => byte !== poison)) throw new Error('wrote outside of its bytes');
    },
  };
}

/**
 * Runs the same on two copies of bytes that lie between different ones: whoever reads outside says something else.
 *
 * @param read returns what it found, to be compared as JSON
 * @throws Error when it differs, or when the bytes around changed
 */
export function expectInside(bytes: Uint8Array, read: (bytes: Uint8Array) => unknown): void {
  const found = [0x00, 0xff].map((poison) => {
    const guarded = guard(bytes, poison);
    const result = toText(read(guarded.bytes));
    guarded.expectUntouched();
    return result;
  });
  if (found[0] !== found[1]) throw new Error(`read outside of its bytes: ${found.join(' or ')}`);
}

function toText(value: unknown): string {
  return JSON.stringify(value, (_, part) => {
    if (typeof part === 'bigint') return `${part}n`;
    if (part instanceof Uint8Array) return Buffer.from(part).toString('hex');
    return part instanceof Map ? [...part] : part;
  });
}
