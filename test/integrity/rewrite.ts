/**
 * What a handle does to each packet, and how the receiver undoes it.
 *
 * @module
 */
import type { Packet } from '../../src/index.ts';

const MASK = 0x55;
const GROUP_BYTES = 4;

/** A way to rewrite a payload. */
export interface Rewriting {
  /** In words, for the report. */
  readonly name: string;
  /** For the receiver: see stream.py. */
  readonly undo: string;
  /** Changes the payload of a packet; one without payload is left alone. */
  rewrite(packet: Packet): void;
}

/** Another byte for each byte, none for itself. */
const MAP: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => (byte * 7 + 13) & 0xff);

function inverse(map: Uint8Array): string {
  const table = new Uint8Array(map.length);
  for (const [byte, other] of map.entries()) table[other] = byte;
  return Buffer.from(table).toString('hex');
}

/** Every byte is changed where it stands. */
export const IN_PLACE: Rewriting = {
  name: 'in place',
  undo: inverse(MAP.map((_, byte) => byte ^ MASK)),
  rewrite: (packet) => {
    if (packet.readPayload().length === 0) return;
    const { payload } = packet;
    for (let index = 0; index < payload.length; index++) {
      payload[index] = (payload[index] ?? 0) ^ MASK;
    }
  },
};

/** The packet gets a payload of other memory. */
export const ASSIGNED: Rewriting = {
  name: 'assigned',
  undo: inverse(MAP),
  rewrite: (packet) => {
    const before = packet.readPayload();
    if (before.length === 0) return;
    const after = new Uint8Array(before.length);
    for (let index = 0; index < after.length; index++) after[index] = MAP[before[index] ?? 0] ?? 0;
    packet.payload = after;
  },
};

/** The packet gets other bytes from the IP header on. */
export const REPLACED: Rewriting = {
  name: 'replaced',
  undo: ASSIGNED.undo,
  rewrite: (packet) => {
    const { length } = packet.readPayload();
    if (length === 0) return;
    const other = packet.bytes.slice();
    const start = other.length - length;
    for (let index = start; index < other.length; index++) {
      other[index] = MAP[other[index] ?? 0] ?? 0;
    }
    packet.replace(other);
  },
};

/**
 * Words change places, so that the sum over a piece of a datagram stays what it is: nobody could mend the checksum,
 * which is in another piece.
 */
export const SWAPPED: Rewriting = {
  name: 'words swapped',
  undo: 'swap',
  rewrite: (packet) => {
    const { payload } = packet;
    for (let at = 0; at + GROUP_BYTES <= payload.length; at += GROUP_BYTES) {
      const first = ((payload[at] ?? 0) << 8) | (payload[at + 1] ?? 0);
      payload.copyWithin(at, at + 2, at + GROUP_BYTES);
      payload[at + 2] = first >> 8;
      payload[at + 3] = first & 0xff;
    }
  },
};
