/**
 * Netlink attributes: type-length-value records padded to four bytes
 * (linux/netlink.h, struct nlattr). The padding is not part of the length.
 *
 * @module
 */

/** Size of struct nlattr: u16 length (header included), u16 type. */
export const NLA_HEADER_BYTES = 4;
/** The payload holds attributes itself. */
const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

/** `#define NLA_ALIGN(len) (((len) + NLA_ALIGNTO - 1) & ~(NLA_ALIGNTO - 1))` */
export function align4(length: number): number {
  return (length + 3) & ~3;
}

/** Joins pieces into one buffer. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  let length = 0;
  for (const piece of pieces) length += piece.length;
  const joined = new Uint8Array(length);
  let offset = 0;
  for (const piece of pieces) {
    joined.set(piece, offset);
    offset += piece.length;
  }
  return joined;
}

/** One attribute, padded. */
export function attribute(type: number, payload: Uint8Array): Uint8Array {
  const length = NLA_HEADER_BYTES + payload.length;
  const bytes = new Uint8Array(align4(length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, length, true);
  view.setUint16(2, type, true);
  bytes.set(payload, NLA_HEADER_BYTES);
  return bytes;
}

/** An attribute made of attributes. */
export function nested(type: number, ...attributes: readonly Uint8Array[]): Uint8Array {
  return attribute(type | NLA_F_NESTED, concat(attributes));
}

/** A 16-bit value in network byte order, as nfnetlink has them. */
export function uint16be(type: number, value: number): Uint8Array {
  return attribute(type, Uint8Array.of(value >>> 8, value));
}

/** A 32-bit value in network byte order, as nfnetlink has them. Negative values as two's complement. */
export function uint32be(type: number, value: number): Uint8Array {
  return attribute(type, Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value));
}

/** A string with its terminating NUL. */
export function string(type: number, text: string): Uint8Array {
  return attribute(type, new TextEncoder().encode(`${text}\0`));
}

/**
 * Splits a run of attributes into type -> payload (a view). A later one of a type wins.
 * Stops at the first malformed length.
 */
export function parseAttributes(bytes: Uint8Array): Map<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  while (offset + NLA_HEADER_BYTES <= bytes.length) {
    const length = view.getUint16(offset, true);
    if (length < NLA_HEADER_BYTES || offset + length > bytes.length) break;
    const type = view.getUint16(offset + 2, true) & NLA_TYPE_MASK;
    attributes.set(type, bytes.subarray(offset + NLA_HEADER_BYTES, offset + length));
    offset += align4(length);
  }
  return attributes;
}

/** Reads a big-endian number of 2, 4 or 8 bytes (8: exact up to 2^53). */
export function readNumber(bytes: Uint8Array): number {
  let value = 0;
  for (const byte of bytes) value = value * 256 + byte;
  return value;
}

/** Reads a NUL-terminated string. */
export function readString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}
