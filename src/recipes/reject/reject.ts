/**
 * Rejects packets: nobody waits for an answer that does not come.
 *
 * @module
 */
import type { NetworkHandle } from '../../divert/network-handle.ts';
import { DivertError, SystemError } from '../../errors.ts';
import type { Address, AddressInit } from '../../packet/address.ts';
import type { Packet } from '../../packet/packet.ts';
import { type RejectAnswer, type RejectOptions, rejectAnswers } from './answers.ts';

const VALID = { ipChecksum: true, tcpChecksum: true, udpChecksum: true } as const;

/**
 * Drops a received packet and tells its sender: TCP connections are reset at both ends, the
 * sender of anything else gets an ICMP or ICMPv6 unreachable message ({@link rejectAnswers}).
 *
 * On a handle with mode 'sniff' the packet itself gets through; the answers are sent all the same.
 *
 * @param handle the packet's, on the network or forward layer, not with access 'receive'
 * @param packet received from it, not decided about yet
 * @returns how many answers were sent: fewer than there are when the kernel does not take one (no
 * route to its receiver, for example)
 * @throws {@link DivertError} `stale-packet` when it was decided about before, `invalid-parameter` on
 * a handle that cannot send, `closed`
 * @throws {@link UnsupportedError} when a capability or a part of the kernel is missing
 * @example
 * ```ts
 * await using handle = await open('outbound and tcp.DstPort == 25');
 * for await (const packet of handle) reject(handle, packet);
 * ```
 */
export function reject(handle: NetworkHandle, packet: Packet, options: RejectOptions = {}): number {
  const answers = rejectAnswers(packet, options);
  const { address } = packet;
  handle.drop(packet);
  let sent = 0;
  for (const answer of answers) {
    if (trySend(handle, answer, addressOf(answer, address))) sent++;
  }
  return sent;
}

/** The way of an answer: on where the packet went, or back where it came from. */
function addressOf({ to }: RejectAnswer, packet: Address): AddressInit {
  const { outbound, loopback, interfaceIndex, layer } = packet;
  if (loopback) return { ...VALID, outbound: true, loopback: true, interfaceIndex };
  // In a router the interface is that of the route to whom the answer seems to come from.
  if (layer === 'forward') return VALID;
  const isOutbound = to === 'destination' ? outbound : !outbound;
  return { ...VALID, outbound: isOutbound, interfaceIndex };
}

/** False when the kernel does not take this very packet. */
function trySend(handle: NetworkHandle, answer: RejectAnswer, address: AddressInit): boolean {
  try {
    handle.send(answer.bytes, address);
    return true;
  } catch (error) {
    if (error instanceof SystemError) return false;
    // No route leads to where the answer would have to come from.
    const isUnroutable = error instanceof DivertError && error.code === 'invalid-parameter';
    if (isUnroutable && address.outbound !== true) return false;
    throw error;
  }
}
