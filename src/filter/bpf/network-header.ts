/**
 * The code in front of everything: the IP header is checked and copied to the stack, with the rules of
 * `packet/layout.ts`.
 *
 * @module
 */

import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R1, R2, R4, R8, R9, R10 } from '../../bpf/instruction.ts';
import { LENGTHS } from '../../packet/layout.ts';
import {
  CONTEXT,
  copyPacketBytes,
  DATA_END,
  type Exits,
  FRAME,
  loadNetwork,
  PROTOCOL,
  SKB,
  TRANSPORT,
} from './frame.ts';
import { V4_WORLDS, V6_WORLDS } from './worlds.ts';

const IPV4_TOTAL_LENGTH = 2;
const IPV4_PROTOCOL = 9;
const IPV6_PAYLOAD_LENGTH = 4;
const IPV6_NEXT_HEADER = 6;
const PACKET_LOOPBACK = 5;
const LOOPBACK_IFINDEX = 1;

/** What the code at the start has to provide. */
export interface NetworkNeeds {
  /** IP versions the program can get. */
  readonly worlds: number;
  /** The transport header is going to be parsed. */
  readonly transport: boolean;
  /** Tests read IPv6 addresses. */
  readonly addresses: boolean;
  /** Super-packets over 64 KB, which say length 0, are valid. */
  readonly bigPackets: boolean;
}

/**
 * At LOCAL_IN: packets that came over the loopback device, and looped multicast ones, were seen
 * outbound already.
 */
export function emitLoopbackSkip(assembler: Assembler, reject: Label): void {
  assembler.comment('seen outbound already: loopback device');
  assembler.load('W', R1, CONTEXT, SKB.INGRESS_IFINDEX);
  assembler.jumpIf('JEQ', R1, LOOPBACK_IFINDEX, reject);
  assembler.comment('seen outbound already: looped multicast');
  assembler.load('W', R1, CONTEXT, SKB.PKT_TYPE);
  assembler.jumpIf('JEQ', R1, PACKET_LOOPBACK, reject);
}

/** Checks the IP header and copies it; packets without a valid one never match. */
export function emitNetworkHeader(assembler: Assembler, needs: NetworkNeeds, exits: Exits): void {
  const { reject } = exits;
  const done = assembler.newLabel('parsed');
  const ipv6 = assembler.newLabel('ipv6');
  const hasV4 = (needs.worlds & V4_WORLDS) !== 0;
  const hasV6 = (needs.worlds & V6_WORLDS) !== 0;
  assembler.comment('IP header');
  assembler.load('W', DATA_END, CONTEXT, SKB.LEN);
  emitStartCopy(assembler, copySizes(needs, hasV4), reject);
  loadNetwork(assembler, 'B', 0);
  assembler.alu('RSH', R1, 4);
  if (hasV4 && hasV6) assembler.jumpIf('JEQ', R1, 6, ipv6);
  assembler.jumpIf('JNE', R1, hasV4 ? 4 : 6, reject);
  if (hasV4) {
    emitIPv4Header(assembler, needs, reject);
    if (hasV6) assembler.jump(done);
  }
  if (hasV6) {
    assembler.label(ipv6);
    emitIPv6Header(assembler, needs, done, reject);
  }
  assembler.label(done);
}

/** How much to copy of packets that have as much; what is behind the IP header saves a second copy. */
function copySizes(needs: NetworkNeeds, hasV4: boolean): number[] {
  const { IPV4_HEADER, IPV6_HEADER, TCP_HEADER } = LENGTHS;
  const sizes: number[] = hasV4 ? [IPV4_HEADER] : [IPV6_HEADER];
  if (hasV4 && (needs.addresses || needs.transport)) sizes.push(IPV6_HEADER);
  if (needs.transport) sizes.push(IPV6_HEADER + TCP_HEADER);
  return sizes;
}

/** The verifier wants to see all of the stack written that is read later. */
function emitStartCopy(assembler: Assembler, sizes: readonly number[], reject: Label): void {
  const [smallest = 0, ...larger] = sizes;
  assembler.jumpIf('JLT', DATA_END, smallest, reject);
  const end = FRAME.NETWORK_HEADER + (sizes.at(-1) ?? 0);
  for (let at = FRAME.NETWORK_HEADER + smallest; at < end; ) {
    const size = at % 8 === 0 && end - at >= 8 ? 8 : 4;
    assembler.storeImmediate(size === 8 ? 'DW' : 'W', R10, at, 0);
    at += size;
  }
  const copy = assembler.newLabel('copy');
  assembler.moveImmediate(R4, smallest);
  for (const size of larger) {
    assembler.jumpIf('JLT', DATA_END, size, copy);
    assembler.moveImmediate(R4, size);
  }
  assembler.label(copy);
  copyPacketBytes(assembler, 0, FRAME.NETWORK_HEADER, null, reject);
}

function emitIPv4Header(assembler: Assembler, needs: NetworkNeeds, reject: Label): void {
  const hasLength = assembler.newLabel('ipv4_length');
  const ready = assembler.newLabel('ipv4_ready');
  assembler.comment('IPv4: header length, total length');
  assembler.load('B', R8, R10, FRAME.NETWORK_HEADER);
  assembler.alu('AND', R8, 0x0f);
  assembler.alu('LSH', R8, 2);
  assembler.jumpIf('JLT', R8, LENGTHS.IPV4_HEADER, reject);
  assembler.jumpIfRegister('JLT', R9, R8, reject);
  loadNetwork(assembler, 'H', IPV4_TOTAL_LENGTH);
  if (needs.bigPackets) {
    assembler.jumpIfRegister('JGE', R1, R8, hasLength);
    assembler.jumpIf('JNE', R1, 0, reject);
    assembler.load('W', R2, CONTEXT, SKB.GSO_SIZE);
    assembler.jumpIf('JEQ', R2, 0, reject);
    assembler.jump(ready);
    assembler.label(hasLength);
  } else {
    assembler.jumpIfRegister('JLT', R1, R8, reject);
  }
  if (!needs.transport) {
    assembler.label(ready);
    return;
  }
  assembler.jumpIfRegister('JGE', R1, DATA_END, ready);
  assembler.move(DATA_END, R1);
  assembler.label(ready);
  assembler.load('B', PROTOCOL, R10, FRAME.NETWORK_HEADER + IPV4_PROTOCOL);
}

function emitIPv6Header(
  assembler: Assembler,
  needs: NetworkNeeds,
  done: Label,
  reject: Label,
): void {
  assembler.comment('IPv6: payload length');
  assembler.jumpIf('JLT', DATA_END, LENGTHS.IPV6_HEADER, reject);
  if (!needs.transport) return;
  const hasLength = assembler.newLabel('ipv6_length');
  assembler.moveImmediate(TRANSPORT, LENGTHS.IPV6_HEADER);
  assembler.load('B', PROTOCOL, R10, FRAME.NETWORK_HEADER + IPV6_NEXT_HEADER);
  loadNetwork(assembler, 'H', IPV6_PAYLOAD_LENGTH);
  if (needs.bigPackets) {
    assembler.jumpIf('JNE', R1, 0, hasLength);
    assembler.load('W', R2, CONTEXT, SKB.GSO_SIZE);
    assembler.jumpIf('JNE', R2, 0, done);
    assembler.label(hasLength);
  }
  assembler.alu('ADD', R1, LENGTHS.IPV6_HEADER);
  assembler.jumpIfRegister('JGE', R1, DATA_END, done);
  assembler.move(DATA_END, R1);
}
