/**
 * Checks bytes before they go back to the kernel, as WinDivertSend does: a packet's length is
 * what its IP header says.
 *
 * @module
 */
import { DivertError } from '../errors.ts';
import { readUint16 } from '../packet/bytes.ts';
import { decrementTtl } from '../packet/ttl.ts';
import { invalidParameter } from './options.ts';

const IPV4_HEADER_BYTES = 20;
const IPV4_TOTAL_LENGTH = 2;
const IPV6_HEADER_BYTES = 40;
const IPV6_PAYLOAD_LENGTH = 4;

/**
 * The bytes to send: those given, without what follows the IP packet.
 *
 * @throws {@link DivertError} `invalid-parameter` when they are no whole IPv4 or IPv6 packet
 */
export function checkOutgoing(bytes: Uint8Array): Uint8Array {
  const version = (bytes[0] ?? 0) >> 4;
  if (version !== 4 && version !== 6) {
    throw refusal(bytes, `the IP version is ${version}, not 4 or 6`);
  }
  const headerLength = version === 4 ? ((bytes[0] ?? 0) & 15) * 4 : IPV6_HEADER_BYTES;
  if (headerLength < IPV4_HEADER_BYTES || headerLength > bytes.length) {
    throw refusal(bytes, `an IPv${version} header of ${headerLength} bytes does not fit`);
  }
  const length =
    version === 4
      ? readUint16(bytes, IPV4_TOTAL_LENGTH)
      : IPV6_HEADER_BYTES + readUint16(bytes, IPV6_PAYLOAD_LENGTH);
  if (length < headerLength || length > bytes.length) {
    throw refusal(bytes, `the IP header says ${length}`);
  }
  return length === bytes.length ? bytes : bytes.subarray(0, length);
}

/**
 * What is sent of a packet that another handle injected: a copy with one hop less.
 *
 * @param bytes a whole packet
 * @throws {@link DivertError} `host-unreachable` when it has none left
 */
export function withOneHopLess(bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice();
  if (!decrementTtl(copy)) throw unreachable();
  return copy;
}

/** @internal */
export function unreachable(): DivertError {
  return new DivertError(
    'host-unreachable',
    'The packet was injected by a handle and has no hop left (TTL or hop limit); it was dropped.',
    {
      hint: 'Two programs may be sending it to each other: leave such packets out with `not impostor`.',
    },
  );
}

function refusal(bytes: Uint8Array, reason: string): DivertError {
  return invalidParameter(
    `These ${bytes.length} bytes are no IP packet: ${reason}.`,
    'Send bytes from the IP header on, with the length of that header right.',
  );
}
