/**
 * The code in front of the tests: the IP header is checked and copied to the stack, and where the
 * filter asks for it the transport header is found, with the rules of `packet/layout.ts`.
 *
 * @module
 */

import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R1, R2, R8, R9, R10 } from '../../bpf/instruction.ts';
import { IPPROTO, LENGTHS } from '../../packet/layout.ts';
import {
  CONTEXT,
  copyPacketBytes,
  DATA_END,
  FRAME,
  loadSlot,
  PROTOCOL,
  SKB,
  storeSlot,
  TRANSPORT,
} from './frame.ts';
import { MAX_EXTENSION_HEADERS } from './options.ts';
import { TRANSPORT_PROTOCOLS, type TransportHeader, V4_WORLDS, V6_WORLDS } from './worlds.ts';

const IPV4_TOTAL_LENGTH = 2;
const IPV4_FRAGMENT = 6;
const IPV4_PROTOCOL = 9;
const IPV6_PAYLOAD_LENGTH = 4;
const IPV6_NEXT_HEADER = 6;
const TCP_DATA_OFFSET = 12;
const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;
/** First byte of the IP header: all IPv6 headers are at or above, all IPv4 headers below. */
export const IPV6_FIRST_BYTE = 0x60;
const OFFSET_BITS = 0x1fff;
const FRAGMENT_BITS = 0x3fff;
const IPV6_OFFSET_BITS = 0xfff8;
const PACKET_LOOPBACK = 5;
const LOOPBACK_IFINDEX = 1;

/** What the tests need of the packet. */
export interface ParseNeeds {
  /** Transport headers that tests ask for. */
  readonly headers: ReadonlySet<TransportHeader>;
  readonly payloadOffset: boolean;
  readonly protocol: boolean;
  readonly fragment: boolean;
  readonly checksumOffset: boolean;
}

/** Where parsing ends when there is nothing to test. */
export interface Exits {
  readonly accept: Label;
  readonly reject: Label;
}

/** What the code at the start has to provide. */
export interface NetworkNeeds {
  /** IP versions the program can get. */
  readonly worlds: number;
  /** The transport header is going to be parsed. */
  readonly transport: boolean;
  /** Tests read IPv6 addresses. */
  readonly addresses: boolean;
  /** Super-packets over 64 KB say length 0 and will be cut into ones that say theirs. */
  readonly segments: boolean;
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
  const first = hasV4 ? LENGTHS.IPV4_HEADER : LENGTHS.IPV6_HEADER;
  assembler.jumpIf('JLT', DATA_END, first, reject);
  copyPacketBytes(assembler, 0, FRAME.NETWORK_HEADER, first, reject);
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
    emitIPv6Header(assembler, needs, done, reject, hasV4);
  }
  assembler.label(done);
}

function loadNetwork(assembler: Assembler, size: 'B' | 'H', offset: number): void {
  assembler.load(size, R1, R10, FRAME.NETWORK_HEADER + offset);
  if (size === 'H') assembler.swapBigEndian(R1, 16);
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
  if (needs.segments) {
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
  partly: boolean,
): void {
  assembler.comment('IPv6: payload length');
  if (partly) {
    assembler.jumpIf('JLT', DATA_END, LENGTHS.IPV6_HEADER, reject);
    if (needs.addresses) {
      const from = LENGTHS.IPV4_HEADER;
      const slot = FRAME.NETWORK_HEADER + from;
      copyPacketBytes(assembler, from, slot, LENGTHS.IPV6_HEADER - from, reject);
    }
  }
  if (!needs.transport) return;
  const hasLength = assembler.newLabel('ipv6_length');
  assembler.moveImmediate(TRANSPORT, LENGTHS.IPV6_HEADER);
  assembler.load('B', PROTOCOL, R10, FRAME.NETWORK_HEADER + IPV6_NEXT_HEADER);
  loadNetwork(assembler, 'H', IPV6_PAYLOAD_LENGTH);
  if (needs.segments) {
    assembler.jumpIf('JNE', R1, 0, hasLength);
    assembler.load('W', R2, CONTEXT, SKB.GSO_SIZE);
    assembler.jumpIf('JNE', R2, 0, done);
    assembler.label(hasLength);
  }
  assembler.alu('ADD', R1, LENGTHS.IPV6_HEADER);
  assembler.jumpIfRegister('JGE', R1, DATA_END, done);
  assembler.move(DATA_END, R1);
}

/**
 * Finds the transport header and copies it; sets what `needs` asks for.
 *
 * @param worlds IP versions that packets here can have
 */
export function emitTransportHeader(
  assembler: Assembler,
  needs: ParseNeeds,
  worlds: number,
  exits: Exits,
): void {
  const labels = {
    ipv6: assembler.newLabel('extensions'),
    found: assembler.newLabel('transport'),
    none: assembler.newLabel('no_transport'),
    done: assembler.newLabel('tests'),
  };
  const hasV4 = (worlds & V4_WORLDS) !== 0;
  const hasV6 = (worlds & V6_WORLDS) !== 0;
  if (needs.checksumOffset) assembler.storeImmediate('W', R10, FRAME.CHECKSUM_OFFSET, -1);
  assembler.comment('transport header');
  if (hasV4 && hasV6) {
    loadNetwork(assembler, 'B', 0);
    assembler.jumpIf('JGE', R1, IPV6_FIRST_BYTE, labels.ipv6);
  }
  if (hasV4) {
    emitIPv4Fragment(assembler, needs, labels.none);
    if (hasV6) assembler.jump(labels.found);
  }
  if (hasV6) {
    assembler.label(labels.ipv6);
    emitExtensionHeaders(assembler, needs, labels.none, exits.accept);
  }
  assembler.label(labels.found);
  emitTransportCopy(assembler, needs, labels.none, labels.done);
  assembler.label(labels.none);
  assembler.moveImmediate(PROTOCOL, 0);
  assembler.label(labels.done);
}

/** Later pieces of a datagram have no transport header. */
function emitIPv4Fragment(assembler: Assembler, needs: ParseNeeds, none: Label): void {
  if (needs.protocol) storeSlot(assembler, FRAME.PROTOCOL, PROTOCOL);
  loadNetwork(assembler, 'H', IPV4_FRAGMENT);
  if (needs.fragment) {
    assembler.move(R2, R1);
    assembler.alu('AND', R2, FRAGMENT_BITS);
    storeSlot(assembler, FRAME.FRAGMENT, R2);
  }
  assembler.alu('AND', R1, OFFSET_BITS);
  assembler.jumpIf('JNE', R1, 0, none);
  if (needs.headers.has('icmpv6')) assembler.jumpIf('JEQ', PROTOCOL, IPPROTO.ICMPV6, none);
}

const WITH_LENGTH_IN_8 = [IPPROTO.HOPOPTS, IPPROTO.ROUTING, IPPROTO.DSTOPTS, IPPROTO.MH] as const;
/** The shortest extension header. */
const EXTENSION_HEADER_BYTES = 8;

/** A loop of at most {@link MAX_EXTENSION_HEADERS} turns; a packet with more may match. */
function emitExtensionHeaders(
  assembler: Assembler,
  needs: ParseNeeds,
  none: Label,
  accept: Label,
): void {
  const loop = assembler.newLabel('extension');
  const next = assembler.newLabel('extension_next');
  const later = assembler.newLabel('later_piece');
  const end = assembler.newLabel('extensions_end');
  const counter = R9;
  storeSlot(assembler, FRAME.DATA_END, DATA_END);
  assembler.storeImmediate('W', R10, FRAME.FRAGMENT, 0);
  assembler.moveImmediate(counter, 0);
  assembler.label(loop);
  // What most packets have; all else is copied before it is looked at, so that the verifier has one way
  // to follow and not one for each kind of extension header.
  for (const protocol of [IPPROTO.TCP, IPPROTO.UDP, IPPROTO.ICMPV6]) {
    assembler.jumpIf('JEQ', PROTOCOL, protocol, end);
  }
  loadSlot(assembler, R1, FRAME.DATA_END);
  assembler.aluRegister('SUB', R1, TRANSPORT);
  assembler.jumpIf('JLT', R1, EXTENSION_HEADER_BYTES, end);
  copyPacketBytes(
    assembler,
    { register: TRANSPORT },
    FRAME.EXTENSION_HEADER,
    EXTENSION_HEADER_BYTES,
    end,
  );
  emitExtensionLength(assembler, { next, later, end });
  assembler.label(next);
  assembler.alu('ADD', counter, 1);
  assembler.jumpIf('JLT', counter, MAX_EXTENSION_HEADERS, loop);
  assembler.comment('more extension headers than are followed: may match');
  assembler.jump(accept);
  assembler.label(later);
  if (needs.protocol) storeSlot(assembler, FRAME.PROTOCOL, PROTOCOL);
  assembler.jump(none);
  assembler.label(end);
  loadSlot(assembler, DATA_END, FRAME.DATA_END);
  if (needs.protocol) storeSlot(assembler, FRAME.PROTOCOL, PROTOCOL);
  if (needs.headers.has('icmp')) assembler.jumpIf('JEQ', PROTOCOL, IPPROTO.ICMP, none);
}

function emitExtensionLength(
  assembler: Assembler,
  labels: { readonly next: Label; readonly later: Label; readonly end: Label },
): void {
  const fragment = assembler.newLabel('fragment');
  const authentication = assembler.newLabel('authentication');
  const options = assembler.newLabel('options');
  const sized = assembler.newLabel('extension_sized');
  assembler.load('B', R1, R10, FRAME.EXTENSION_HEADER + 1);
  for (const protocol of WITH_LENGTH_IN_8) {
    assembler.jumpIf('JEQ', PROTOCOL, protocol, options);
  }
  assembler.jumpIf('JEQ', PROTOCOL, IPPROTO.FRAGMENT, fragment);
  assembler.jumpIf('JEQ', PROTOCOL, IPPROTO.AH, authentication);
  assembler.jump(labels.end);
  assembler.label(options);
  assembler.alu('ADD', R1, 1);
  assembler.alu('LSH', R1, 3);
  assembler.jump(sized);
  assembler.label(authentication);
  assembler.alu('ADD', R1, 2);
  assembler.alu('LSH', R1, 2);
  assembler.label(sized);
  loadSlot(assembler, R2, FRAME.DATA_END);
  assembler.aluRegister('SUB', R2, TRANSPORT);
  assembler.jumpIfRegister('JGT', R1, R2, labels.end);
  assembler.aluRegister('ADD', TRANSPORT, R1);
  assembler.load('B', PROTOCOL, R10, FRAME.EXTENSION_HEADER);
  assembler.jump(labels.next);
  assembler.comment('only the first fragment header is one');
  assembler.label(fragment);
  loadSlot(assembler, R1, FRAME.FRAGMENT);
  assembler.jumpIf('JNE', R1, 0, labels.end);
  assembler.storeImmediate('W', R10, FRAME.FRAGMENT, 1);
  assembler.alu('ADD', TRANSPORT, EXTENSION_HEADER_BYTES);
  assembler.load('B', PROTOCOL, R10, FRAME.EXTENSION_HEADER);
  assembler.load('H', R1, R10, FRAME.EXTENSION_HEADER + 2);
  assembler.swapBigEndian(R1, 16);
  assembler.alu('AND', R1, IPV6_OFFSET_BITS);
  assembler.jumpIf('JNE', R1, 0, labels.later);
}

function emitTransportCopy(
  assembler: Assembler,
  needs: ParseNeeds,
  none: Label,
  done: Label,
): void {
  const short = assembler.newLabel('short_header');
  const shortHeaders = [...needs.headers].filter((header) => header !== 'tcp');
  for (const header of shortHeaders) {
    assembler.jumpIf('JEQ', PROTOCOL, TRANSPORT_PROTOCOLS[header], short);
  }
  if (needs.headers.has('tcp')) {
    assembler.jumpIf('JNE', PROTOCOL, IPPROTO.TCP, none);
    emitTcpHeader(assembler, needs, none);
    assembler.jump(done);
  } else {
    assembler.jump(none);
  }
  if (shortHeaders.length > 0) {
    assembler.label(short);
    emitShortHeader(assembler, needs, none, done);
    assembler.jump(done);
  }
}

function emitTcpHeader(assembler: Assembler, needs: ParseNeeds, none: Label): void {
  const clipped = assembler.newLabel('tcp_clipped');
  emitCopy(assembler, LENGTHS.TCP_HEADER, none);
  assembler.load('B', R1, R10, FRAME.TRANSPORT_HEADER + TCP_DATA_OFFSET);
  assembler.jumpIf('JLT', R1, (LENGTHS.TCP_HEADER / 4) << 4, none);
  if (needs.checksumOffset) {
    assembler.move(R2, TRANSPORT);
    assembler.alu('ADD', R2, TCP_CHECKSUM);
    storeSlot(assembler, FRAME.CHECKSUM_OFFSET, R2);
  }
  if (needs.payloadOffset) {
    assembler.alu('RSH', R1, 4);
    assembler.alu('LSH', R1, 2);
    assembler.aluRegister('ADD', R1, TRANSPORT);
    assembler.jumpIfRegister('JLE', R1, DATA_END, clipped);
    assembler.move(R1, DATA_END);
    assembler.label(clipped);
    storeSlot(assembler, FRAME.PAYLOAD_OFFSET, R1);
  }
}

/** UDP and ICMP headers have the same length. */
function emitShortHeader(assembler: Assembler, needs: ParseNeeds, none: Label, done: Label): void {
  emitCopy(assembler, LENGTHS.UDP_HEADER, none);
  if (needs.payloadOffset) {
    assembler.move(R1, TRANSPORT);
    assembler.alu('ADD', R1, LENGTHS.UDP_HEADER);
    storeSlot(assembler, FRAME.PAYLOAD_OFFSET, R1);
  }
  if (needs.checksumOffset) {
    assembler.jumpIf('JNE', PROTOCOL, IPPROTO.UDP, done);
    assembler.move(R1, TRANSPORT);
    assembler.alu('ADD', R1, UDP_CHECKSUM);
    storeSlot(assembler, FRAME.CHECKSUM_OFFSET, R1);
  }
}

function emitCopy(assembler: Assembler, lengthBytes: number, none: Label): void {
  assembler.move(R1, DATA_END);
  assembler.aluRegister('SUB', R1, TRANSPORT);
  assembler.jumpIf('JLT', R1, lengthBytes, none);
  copyPacketBytes(assembler, { register: TRANSPORT }, FRAME.TRANSPORT_HEADER, lengthBytes, none);
}
