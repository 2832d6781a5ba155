/**
 * The IP header of an answer.
 *
 * @module
 */
import { writeUint8, writeUint16 } from '../../packet/bytes.ts';
import { LENGTHS } from '../../packet/layout.ts';
import { IP_ADDRESSES } from './offsets.ts';

/** RFC 1700: the recommended TTL. */
const HOPS = 64;
const IPV4 = { VERSION_LENGTH: 0, TOTAL_LENGTH: 2, FRAGMENT: 6, TTL: 8, PROTOCOL: 9 } as const;
const IPV4_FIRST_BYTE = 0x45;
const IPV4_DONT_FRAGMENT = 0x4000;
const IPV6 = { VERSION: 0, PAYLOAD_LENGTH: 4, NEXT_HEADER: 6, HOP_LIMIT: 7 } as const;
const IPV6_FIRST_BYTE = 0x60;

/** Where an answer's addresses come from. */
export interface Addresses {
  /** The rejected packet's. */
  readonly bytes: Uint8Array;
  readonly offset: number;
  /** The answer goes back to the packet's source. */
  readonly isSwapped: boolean;
}

/** Length of the IP header of answers. */
export function headerLength(version: number): number {
  return version === 4 ? LENGTHS.IPV4_HEADER : LENGTHS.IPV6_HEADER;
}

/**
 * A packet with its IP header filled in but for the checksum.
 *
 * @param dataLength - behind the IP header, bytes
 */
export function createAnswer(
  version: number,
  protocol: number,
  dataLength: number,
  addresses: Addresses,
): Uint8Array {
  const answer = new Uint8Array(headerLength(version) + dataLength);
  if (version === 4) {
    writeUint8(answer, IPV4.VERSION_LENGTH, IPV4_FIRST_BYTE);
    writeUint16(answer, IPV4.TOTAL_LENGTH, answer.length);
    writeUint16(answer, IPV4.FRAGMENT, IPV4_DONT_FRAGMENT);
    writeUint8(answer, IPV4.TTL, HOPS);
    writeUint8(answer, IPV4.PROTOCOL, protocol);
  } else {
    writeUint8(answer, IPV6.VERSION, IPV6_FIRST_BYTE);
    writeUint16(answer, IPV6.PAYLOAD_LENGTH, dataLength);
    writeUint8(answer, IPV6.NEXT_HEADER, protocol);
    writeUint8(answer, IPV6.HOP_LIMIT, HOPS);
  }
  copyAddresses(answer, version, addresses);
  return answer;
}

function copyAddresses(answer: Uint8Array, version: number, from: Addresses): void {
  const { SOURCE, DESTINATION, BYTES } = IP_ADDRESSES[version === 4 ? 4 : 6];
  const address = (at: number): Uint8Array =>
    from.bytes.subarray(from.offset + at, from.offset + at + BYTES);
  answer.set(address(from.isSwapped ? DESTINATION : SOURCE), SOURCE);
  answer.set(address(from.isSwapped ? SOURCE : DESTINATION), DESTINATION);
}
