/**
 * Numbers in queue messages are big endian.
 *
 * @module
 */

/** Between network and host byte order; the result is signed, as bit operations make it. */
export function swap32(value: number): number {
  return (
    ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24)
  );
}
