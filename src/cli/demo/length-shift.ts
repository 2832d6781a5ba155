import type { Packet } from '../../index.ts';

/** From which of the server's sequence numbers on a connection is shifted, and by how much. */
interface Shift {
  readonly from: number;
  readonly bytes: number;
}

/**
 * Keeps TCP connections intact in which the server's data was made longer or shorter: what comes after
 * it is moved by the difference, and the client's acknowledgements are moved back.
 */
export class LengthShift {
  readonly #shifts = new Map<number, Shift>();

  /** Notes that a packet's payload is about to change its length. Call before assigning it. */
  note(packet: Packet, oldLength: number, newLength: number): void {
    const { tcp } = packet;
    const difference = newLength - oldLength;
    if (tcp === null || difference === 0) return;
    const from = (tcp.sequenceNumber + oldLength) >>> 0;
    this.#shifts.set(tcp.dstPort, { from, bytes: difference });
  }

  /** Moves the numbers of a packet of a shifted connection. */
  apply(packet: Packet): void {
    const { tcp } = packet;
    if (tcp === null) return;
    if (packet.address.outbound) {
      const shift = this.#shifts.get(tcp.srcPort);
      if (shift === undefined || !tcp.ack) return;
      if (isAtOrAfter(tcp.acknowledgmentNumber, shift.from + shift.bytes)) {
        tcp.acknowledgmentNumber = (tcp.acknowledgmentNumber - shift.bytes) >>> 0;
      }
    } else {
      const shift = this.#shifts.get(tcp.dstPort);
      if (shift === undefined || !isAtOrAfter(tcp.sequenceNumber, shift.from)) return;
      tcp.sequenceNumber = (tcp.sequenceNumber + shift.bytes) >>> 0;
    }
  }
}

/** Order of sequence numbers, which wrap around (RFC 9293, 3.4). */
function isAtOrAfter(sequence: number, reference: number): boolean {
  return ((sequence - reference) | 0) >= 0;
}
