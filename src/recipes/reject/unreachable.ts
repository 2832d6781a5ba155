/**
 * ICMP and ICMPv6 destination unreachable messages (RFC 792, RFC 1812 5.2.7.1, RFC 4443 3.1).
 *
 * @module
 */
import { writeUint8 } from '../../packet/bytes.ts';
import { IPPROTO, LENGTHS, type PacketScan } from '../../packet/layout.ts';
import { createAnswer, headerLength } from './ip-header.ts';

/** Why, by IP version: the message's code. */
const CODES = {
  network: { 4: 0, 6: 0 },
  host: { 4: 1, 6: 3 },
  port: { 4: 3, 6: 4 },
  prohibited: { 4: 13, 6: 1 },
} as const;

/** What the sender is told. */
export type UnreachableReason = keyof typeof CODES;

/** Names of the reasons. @internal */
export const UNREACHABLE_REASONS: readonly string[] = Object.keys(CODES);

const TYPE = { 4: 3, 6: 1 } as const;
/** RFC 1812 4.3.2.3, RFC 4443 2.4 c: the whole message, IP header included, is not longer. */
const MESSAGE_BYTES_MAX = { 4: 576, 6: 1280 } as const;
const CODE = 1;

/** The message for the sender, with as much of the packet as fits. */
export function unreachable(
  bytes: Uint8Array,
  offset: number,
  scan: PacketScan,
  reason: UnreachableReason,
): Uint8Array {
  const version = scan.version === 4 ? 4 : 6;
  const start = headerLength(version);
  const room = MESSAGE_BYTES_MAX[version] - start - LENGTHS.ICMP_HEADER;
  const quoted = bytes.subarray(offset, offset + Math.min(scan.dataEnd, room));
  const protocol = version === 4 ? IPPROTO.ICMP : IPPROTO.ICMPV6;
  const addresses = { bytes, offset, isSwapped: true };
  const length = LENGTHS.ICMP_HEADER + quoted.length;
  const answer = createAnswer(version, protocol, length, addresses);
  writeUint8(answer, start, TYPE[version]);
  writeUint8(answer, start + CODE, CODES[reason][version]);
  answer.set(quoted, start + LENGTHS.ICMP_HEADER);
  return answer;
}
