/**
 * Addresses, protocol and ports of a packet: on a program's stack, and the same in JavaScript.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R6, R10 } from '../../bpf/instruction.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { emitStackPointer } from '../sockets/emit.ts';

/** Offsets from the frame pointer: below what filters use. */
export const HEADER_FRAME = {
  /** The fixed IP header. */
  HEADER: -512,
  /** u32 each. */
  IS_IPV6: -472,
  PROTOCOL: -468,
  /** Where the transport header begins. */
  TRANSPORT: -464,
  /** Both ports as they are in the packet, of ICMP type, code and identifier; 0 without a transport header. */
  PORTS: -460,
  TCP_FLAGS: -456,
} as const;

/** Offsets in the IP headers (RFC 791 section 3.1, RFC 8200 section 3). */
export const IPV4 = { FRAGMENT: 6, PROTOCOL: 9, SOURCE: 12, DESTINATION: 16, BYTES: 20 } as const;
export const IPV6 = { NEXT_HEADER: 6, SOURCE: 8, DESTINATION: 24, BYTES: 40 } as const;
export const FRAGMENT_OFFSET_MASK = 0x1fff;
const TCP_FLAGS_AT = 13;
export const ICMP_IDENTIFIER_AT = 4;

/**
 * Fills {@link HEADER_FRAME}. An IPv6 extension header counts as the transport protocol, without ports.
 * Takes the context in r6; loses r0-r5.
 *
 * @param none where to go on when there is no whole IP header
 */
export function emitHeader(assembler: Assembler, none: Label): void {
  const ipv6 = assembler.newLabel('ipv6');
  const transport = assembler.newLabel('transport');
  const done = assembler.newLabel('header');
  const { HEADER, IS_IPV6, PROTOCOL, TRANSPORT, PORTS, TCP_FLAGS } = HEADER_FRAME;
  assembler.storeImmediate('W', R10, PORTS, 0);
  assembler.storeImmediate('W', R10, TCP_FLAGS, 0);
  emitLoad(assembler, 'packet', 0, HEADER, IPV4.BYTES);
  assembler.jumpIf64('JNE', R0, 0, none);
  assembler.load('B', R1, R10, HEADER);
  assembler.move(R2, R1);
  assembler.alu('RSH', R2, 4);
  assembler.jumpIf('JEQ', R2, 6, ipv6);
  assembler.storeImmediate('W', R10, IS_IPV6, 0);
  assembler.alu('AND', R1, 0x0f);
  assembler.alu('LSH', R1, 2);
  assembler.store('W', R10, TRANSPORT, R1);
  assembler.load('B', R1, R10, HEADER + IPV4.PROTOCOL);
  assembler.store('W', R10, PROTOCOL, R1);
  assembler.load('H', R1, R10, HEADER + IPV4.FRAGMENT);
  assembler.swapBigEndian(R1, 16);
  assembler.alu('AND', R1, FRAGMENT_OFFSET_MASK);
  assembler.jumpIf('JNE', R1, 0, done);
  assembler.jump(transport);
  assembler.label(ipv6);
  assembler.storeImmediate('W', R10, IS_IPV6, 1);
  emitLoad(assembler, 'packet', 0, HEADER, IPV6.BYTES);
  assembler.jumpIf64('JNE', R0, 0, none);
  assembler.load('B', R1, R10, HEADER + IPV6.NEXT_HEADER);
  assembler.store('W', R10, PROTOCOL, R1);
  assembler.storeImmediate('W', R10, TRANSPORT, IPV6.BYTES);
  assembler.label(transport);
  emitPorts(assembler, done);
  assembler.label(done);
}

function emitPorts(assembler: Assembler, done: Label): void {
  const { PROTOCOL, PORTS, TCP_FLAGS } = HEADER_FRAME;
  const ports = assembler.newLabel('ports');
  const icmp = assembler.newLabel('icmp');
  assembler.load('W', R1, R10, PROTOCOL);
  assembler.jumpIf('JEQ', R1, IPPROTO.UDP, ports);
  assembler.jumpIf('JEQ', R1, IPPROTO.ICMP, icmp);
  assembler.jumpIf('JEQ', R1, IPPROTO.ICMPV6, icmp);
  assembler.jumpIf('JNE', R1, IPPROTO.TCP, done);
  emitLoad(assembler, 'transport', TCP_FLAGS_AT, TCP_FLAGS, 1);
  assembler.label(ports);
  // Bytes that are not there are zero.
  emitLoad(assembler, 'transport', 0, PORTS, 4);
  assembler.jump(done);
  assembler.label(icmp);
  emitLoad(assembler, 'transport', 0, PORTS, 2);
  emitLoad(assembler, 'transport', ICMP_IDENTIFIER_AT, PORTS + 2, 2);
}

/** Loads packet bytes to the stack; r0 = 0 when all are there. */
function emitLoad(
  assembler: Assembler,
  from: 'packet' | 'transport',
  at: number,
  target: number,
  bytes: number,
): void {
  assembler.move(R1, R6);
  assembler.moveImmediate(R2, at);
  if (from === 'transport') {
    assembler.load('W', R2, R10, HEADER_FRAME.TRANSPORT);
    assembler.alu('ADD', R2, at);
  }
  emitStackPointer(assembler, R3, target);
  assembler.moveImmediate(R4, bytes);
  assembler.call('skb_load_bytes');
}
