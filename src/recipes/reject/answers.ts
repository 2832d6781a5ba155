/**
 * The packets that make both ends of a connection give it up at once.
 *
 * @module
 */
import { DivertError } from '../../errors.ts';
import { calcChecksums } from '../../packet/checksum.ts';
import { PacketScan, scanPacket } from '../../packet/layout.ts';
import type { Packet } from '../../packet/packet.ts';
import { isAnswerable } from './answerable.ts';
import { resets } from './tcp-reset.ts';
import { UNREACHABLE_REASONS, type UnreachableReason, unreachable } from './unreachable.ts';

/** One answer: a whole packet, and which end gets it. */
export interface RejectAnswer {
  readonly bytes: Uint8Array;
  /** 'source': who sent the packet. 'destination': whom it was for. */
  readonly to: 'source' | 'destination';
}

/** How a packet is rejected. */
export interface RejectOptions {
  /**
   * What the sender of a packet other than TCP is told: 'port' (default), 'host', 'network' or
   * 'prohibited'. A UDP socket sees ECONNREFUSED for 'port', other errors for the others.
   */
  readonly reason?: UnreachableReason;
}

const scan: PacketScan = new PacketScan();

/**
 * What {@link reject} sends: TCP resets for both ends (RFC 9293 3.5.2, 3.10.7.1), for everything else
 * an ICMP or ICMPv6 unreachable message that quotes the packet (RFC 792, RFC 4443 3.1).
 *
 * Nothing for what must not be answered (RFC 1122 3.2.2, RFC 4443 2.4): ICMP errors, resets, pieces
 * but the first, multicast and broadcast, sources that are no single host.
 *
 * @returns none, one or two answers, with their checksums
 * @throws {@link DivertError} `invalid-parameter` for a reason there is not
 */
export function rejectAnswers(packet: Packet, options: RejectOptions = {}): RejectAnswer[] {
  const { reason = 'port' } = options;
  if (!UNREACHABLE_REASONS.includes(reason)) {
    throw new DivertError('invalid-parameter', `Option reason is ${JSON.stringify(reason)}.`, {
      hint: `It can be ${UNREACHABLE_REASONS.map((name) => `'${name}'`).join(', ')}.`,
    });
  }
  // Reading `packet.bytes` would count as changing it.
  const { memory, offset, length } = packet;
  if (!scanPacket(memory, offset, length, scan)) return [];
  if (!isAnswerable(memory, offset, scan, packet.address.loopback)) return [];
  const answers: RejectAnswer[] =
    scan.tcp >= 0
      ? resets(memory, offset, scan)
      : [{ bytes: unreachable(memory, offset, scan, reason), to: 'source' }];
  for (const { bytes } of answers) calcChecksums(bytes);
  return answers;
}
