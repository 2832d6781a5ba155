/**
 * How the program for packets finds out between which ends a packet goes. r6 is the context, which
 * starts with the IP header; r8 becomes the protocol.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R6, R8, R10, type Register } from '../../bpf/instruction.ts';
import { ADDRESS_OFFSETS } from '../../filter/header-fields.ts';
import { IPPROTO, LENGTHS } from '../../packet/layout.ts';
import { SKB } from '../bpf/contexts.ts';
import { FLOW_FRAME } from './layout.ts';

/** ETH_P_IP and ETH_P_IPV6 as `__sk_buff.protocol` has them: in network order. */
const ETHERTYPE = { IPV4: 0x0008, IPV6: 0xdd86 } as const;

const IPV4 = { FRAGMENT: 6, PROTOCOL: 9, OFFSET_BITS: 0x1fff, LENGTH_BITS: 0x0f } as const;
const IPV6 = { NEXT_HEADER: 6 } as const;
/** Extension headers are followed this far; more are not seen outside of tests of firewalls. */
const MAX_EXTENSIONS = 3;
const EXTENSIONS = [IPPROTO.HOPOPTS, IPPROTO.ROUTING, IPPROTO.DSTOPTS] as const;
const EXTENSION_BYTES = 2;
const TRANSPORT_BYTES = 4;
const WORD_BYTES = 4;
const IPV4_MAPPED = 0xffff;

/** Copies bytes of the packet to the stack, or goes to `none`. The offset is a number or in r2. */
function emitLoad(
  assembler: Assembler,
  from: number | 'r2',
  to: number,
  bytes: number,
  none: Label,
): void {
  if (from !== 'r2') assembler.moveImmediate(R2, from);
  assembler.move(R1, R6);
  assembler.move(R3, R10);
  assembler.alu('ADD', R3, to, 64);
  assembler.moveImmediate(R4, bytes);
  assembler.call('skb_load_bytes');
  assembler.jumpIf('JNE', R0, 0, none);
}

/**
 * Copies the IP header and the first bytes behind it to the stack, r8 = the protocol. Goes to `none`
 * for all but the protocols asked for.
 *
 * @param protocols IPPROTO_*
 */
export function emitHeaders(assembler: Assembler, protocols: readonly number[], none: Label): void {
  const ipv6 = assembler.newLabel('ipv6');
  const transport = assembler.newLabel('transport');
  assembler.load('W', R1, R6, SKB.PROTOCOL);
  assembler.jumpIf('JEQ', R1, ETHERTYPE.IPV6, ipv6);
  assembler.jumpIf('JNE', R1, ETHERTYPE.IPV4, none);
  emitHeader4(assembler, none);
  assembler.jump(transport);
  assembler.label(ipv6);
  emitHeader6(assembler, none);
  assembler.label(transport);
  const wanted = assembler.newLabel('wanted');
  for (const protocol of protocols) assembler.jumpIf('JEQ', R8, protocol, wanted);
  assembler.jump(none);
  assembler.label(wanted);
  emitLoad(assembler, 'r2', FLOW_FRAME.TRANSPORT, TRANSPORT_BYTES, none);
}

/** r2 = where the transport header is. Fragments behind the first have none. */
function emitHeader4(assembler: Assembler, none: Label): void {
  const { HEADER } = FLOW_FRAME;
  emitLoad(assembler, 0, HEADER, LENGTHS.IPV4_HEADER, none);
  assembler.load('H', R1, R10, HEADER + IPV4.FRAGMENT);
  assembler.swapBigEndian(R1, 16);
  assembler.alu('AND', R1, IPV4.OFFSET_BITS);
  assembler.jumpIf('JNE', R1, 0, none);
  assembler.load('B', R8, R10, HEADER + IPV4.PROTOCOL);
  assembler.load('B', R2, R10, HEADER);
  assembler.alu('AND', R2, IPV4.LENGTH_BITS);
  assembler.alu('LSH', R2, 2);
}

function emitHeader6(assembler: Assembler, none: Label): void {
  const { HEADER, TRANSPORT_OFFSET, EXTENSION } = FLOW_FRAME;
  const found = assembler.newLabel('no_more_extensions');
  emitLoad(assembler, 0, HEADER, LENGTHS.IPV6_HEADER, none);
  assembler.load('B', R8, R10, HEADER + IPV6.NEXT_HEADER);
  assembler.moveImmediate(R2, LENGTHS.IPV6_HEADER);
  for (let count = 0; count < MAX_EXTENSIONS; count++) {
    const extension = assembler.newLabel('extension');
    for (const type of EXTENSIONS) assembler.jumpIf('JEQ', R8, type, extension);
    assembler.jump(found);
    assembler.label(extension);
    assembler.store('DW', R10, TRANSPORT_OFFSET, R2);
    emitLoad(assembler, 'r2', EXTENSION, EXTENSION_BYTES, none);
    assembler.load('B', R8, R10, EXTENSION);
    assembler.load('B', R1, R10, EXTENSION + 1);
    assembler.alu('ADD', R1, 1);
    assembler.alu('LSH', R1, 3);
    assembler.load('DW', R2, R10, TRANSPORT_OFFSET);
    assembler.aluRegister('ADD', R2, R1, 64);
  }
  assembler.label(found);
}

/**
 * Stores one address of the header that was copied as words of a record. Loses r0 and r1.
 *
 * @param side which of both
 * @param base with `to`: where it goes
 */
export function emitHeaderAddress(
  assembler: Assembler,
  side: 'source' | 'destination',
  base: Register,
  to: number,
): void {
  const ipv6 = assembler.newLabel('address6');
  const done = assembler.newLabel('address');
  const { IPV4_SOURCE, IPV4_DESTINATION, IPV6_SOURCE, IPV6_DESTINATION } = ADDRESS_OFFSETS;
  const isSource = side === 'source';
  const from4 = FLOW_FRAME.HEADER + (isSource ? IPV4_SOURCE : IPV4_DESTINATION);
  const from6 = FLOW_FRAME.HEADER + (isSource ? IPV6_SOURCE : IPV6_DESTINATION);
  assembler.load('W', R1, R6, SKB.PROTOCOL);
  assembler.jumpIf('JEQ', R1, ETHERTYPE.IPV6, ipv6);
  emitWord(assembler, from4, base, to);
  assembler.storeImmediate('W', base, to + WORD_BYTES, IPV4_MAPPED);
  for (const word of [2, 3]) assembler.storeImmediate('W', base, to + word * WORD_BYTES, 0);
  assembler.jump(done);
  assembler.label(ipv6);
  for (let word = 0; word < 4; word++) {
    emitWord(assembler, from6 + word * WORD_BYTES, base, to + (3 - word) * WORD_BYTES);
  }
  assembler.label(done);
}

function emitWord(assembler: Assembler, from: number, base: Register, to: number): void {
  assembler.load('W', R0, R10, from);
  assembler.swapBigEndian(R0, 32);
  assembler.store('W', base, to, R0);
}
