/**
 * Unchecked byte access in network (big-endian) order unless the name says otherwise. Callers have
 * made sure that the bytes are there.
 *
 * @module
 */

/** @internal */
export function readUint8(bytes: Uint8Array, at: number): number {
  return bytes[at]!;
}

/** @internal */
export function readUint16(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 8) | bytes[at + 1]!;
}

/** @internal */
export function readUint32(bytes: Uint8Array, at: number): number {
  return (
    ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
  );
}

/** Signed (`| 0`) little-endian 32 bits: what the hash works on. @internal */
export function readInt32LE(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}

/** @internal */
export function writeUint8(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
}

/** @internal */
export function writeUint16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

/** @internal */
export function writeUint32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Element of an array that is known to have it. @internal */
export function itemAt(items: ArrayLike<number>, index: number): number {
  return items[index]!;
}

/** The same for one kind of array: code shared with other kinds is slower (measured). @internal */
export function int32At(items: Int32Array, index: number): number {
  return items[index]!;
}
