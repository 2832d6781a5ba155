/**
 * The code that walks the extension headers of IPv6 (RFC 8200 section 4) to the transport header.
 *
 * @module
 */

import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R5, R9, R10, type Register } from '../../bpf/instruction.ts';
import { IPPROTO } from '../../packet/layout.ts';
import {
  copyPacketBytes,
  DATA_END,
  FRAME,
  loadSlot,
  PROTOCOL,
  storeSlot,
  TRANSPORT,
} from './frame.ts';
import { MAX_EXTENSION_HEADERS } from './options.ts';

const IPV6_OFFSET_BITS = 0xfff8;

const WITH_LENGTH_IN_8 = [IPPROTO.HOPOPTS, IPPROTO.ROUTING, IPPROTO.DSTOPTS, IPPROTO.MH] as const;
/** The shortest extension header. */
const EXTENSION_HEADER_BYTES = 8;

/**
 * A loop of at most {@link MAX_EXTENSION_HEADERS} turns, or each of them written out; a packet with more may match. Falls
 * through at the transport header.
 *
 * @param none where later pieces of a datagram go
 */
export function emitExtensionHeaders(
  assembler: Assembler,
  needs: { readonly protocol: boolean; readonly loops: boolean },
  none: Label,
  accept: Label,
): void {
  const later = assembler.newLabel('later_piece');
  const end = assembler.newLabel('extensions_end');
  storeSlot(assembler, FRAME.DATA_END, DATA_END);
  assembler.storeImmediate('W', R10, FRAME.FRAGMENT, 0);
  emitTurns(assembler, needs.loops, () => emitTurn(assembler, { later, end }));
  assembler.comment('more extension headers than are followed: may match');
  assembler.jump(accept);
  assembler.label(later);
  if (needs.protocol) storeSlot(assembler, FRAME.PROTOCOL, PROTOCOL);
  assembler.jump(none);
  assembler.label(end);
  // Through the stack the verifier forgets what it knows of the offset. Otherwise comparing it later
  // would make every number of turns a case of its own.
  storeSlot(assembler, FRAME.TRANSPORT, TRANSPORT);
  loadSlot(assembler, TRANSPORT, FRAME.TRANSPORT);
  loadSlot(assembler, DATA_END, FRAME.DATA_END);
  if (needs.protocol) storeSlot(assembler, FRAME.PROTOCOL, PROTOCOL);
}

function emitTurns(assembler: Assembler, loops: boolean, emit: () => void): void {
  if (!loops) {
    for (let turn = 0; turn < MAX_EXTENSION_HEADERS; turn++) emit();
    return;
  }
  const counter = R9;
  const loop = assembler.newLabel('extension');
  assembler.moveImmediate(counter, 0);
  assembler.label(loop);
  emit();
  assembler.alu('ADD', counter, 1);
  assembler.jumpIf('JLT', counter, MAX_EXTENSION_HEADERS, loop);
}

interface TurnExits {
  readonly later: Label;
  readonly end: Label;
}

/** Looks at a header, which may be the transport header. */
function emitTurn(assembler: Assembler, { later, end }: TurnExits): void {
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
  emitExtensionStep(assembler, { later, end });
}

/** 1 when the protocol is the constant, otherwise 0. */
function emitIsProtocol(assembler: Assembler, into: Register, protocol: number): void {
  assembler.move(into, PROTOCOL);
  assembler.alu('XOR', into, protocol);
  // Only 0 becomes negative.
  assembler.alu('SUB', into, 1, 64);
  assembler.alu('RSH', into, 63, 64);
}

/**
 * Goes over one extension header. What depends on its kind is worked out without jumps: the verifier follows every
 * way through the loop, and each turn would double their number.
 */
function emitExtensionStep(assembler: Assembler, { later, end }: TurnExits): void {
  const scratch = R0;
  const isHeader = R1;
  const authentication = R2;
  const fragment = R3;
  const length = R4;
  const rest = R5;
  emitIsProtocol(assembler, authentication, IPPROTO.AH);
  emitIsProtocol(assembler, fragment, IPPROTO.FRAGMENT);
  assembler.move(isHeader, authentication);
  assembler.aluRegister('OR', isHeader, fragment);
  for (const protocol of WITH_LENGTH_IN_8) {
    emitIsProtocol(assembler, scratch, protocol);
    assembler.aluRegister('OR', isHeader, scratch);
  }
  assembler.comment('no extension header');
  assembler.jumpIf('JEQ', isHeader, 0, end);
  assembler.comment('length: (n + 1) * 8, of AH (n + 2) * 4, of a fragment header 8');
  assembler.load('B', length, R10, FRAME.EXTENSION_HEADER + 1);
  assembler.move(scratch, fragment);
  assembler.alu('SUB', scratch, 1);
  assembler.aluRegister('AND', length, scratch);
  assembler.alu('ADD', length, 1);
  assembler.aluRegister('ADD', length, authentication);
  assembler.moveImmediate(scratch, 3);
  assembler.aluRegister('SUB', scratch, authentication);
  assembler.aluRegister('LSH', length, scratch);
  loadSlot(assembler, rest, FRAME.DATA_END);
  assembler.aluRegister('SUB', rest, TRANSPORT);
  assembler.jumpIfRegister('JGT', length, rest, end);
  assembler.comment('only the first fragment header is one');
  loadSlot(assembler, scratch, FRAME.FRAGMENT);
  assembler.move(rest, scratch);
  assembler.aluRegister('AND', rest, fragment);
  assembler.jumpIf('JNE', rest, 0, end);
  assembler.aluRegister('OR', scratch, fragment);
  storeSlot(assembler, FRAME.FRAGMENT, scratch);
  assembler.aluRegister('ADD', TRANSPORT, length);
  assembler.load('B', PROTOCOL, R10, FRAME.EXTENSION_HEADER);
  assembler.comment('later pieces of a datagram');
  assembler.load('H', scratch, R10, FRAME.EXTENSION_HEADER + 2);
  assembler.swapBigEndian(scratch, 16);
  assembler.alu('AND', scratch, IPV6_OFFSET_BITS);
  assembler.aluRegister('MUL', scratch, fragment);
  assembler.jumpIf('JNE', scratch, 0, later);
}
