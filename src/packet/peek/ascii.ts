/**
 * Bytes of text protocols as text.
 *
 * @module
 */
import { readUint8 } from '../bytes.ts';

/** Arguments of one call of `String.fromCharCode`. */
const CHUNK = 4096;

/**
 * One character a byte (ISO 8859-1).
 *
 * @param from - first byte
 * @param to - behind the last one, at most `bytes.length`
 * @internal
 */
export function decodeLatin1(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at += CHUNK) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(at + CHUNK, to)));
  }
  return text;
}

/** Where a byte is, -1 when it is not before `end`. @internal */
export function indexOfByte(bytes: Uint8Array, byte: number, from: number, end: number): number {
  for (let at = from; at < end; at++) if (readUint8(bytes, at) === byte) return at;
  return -1;
}

/** Whether all bytes are visible ASCII characters, blanks not included. @internal */
export function isVisible(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = readUint8(bytes, at);
    if (byte <= 0x20 || byte >= 0x7f) return false;
  }
  return true;
}
