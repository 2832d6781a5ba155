/**
 * The code that walks the extension headers of IPv6 (RFC 8200 section 4) to the transport header.
 *
 * @module
 */

import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R1, R2, R9, R10 } from '../../bpf/instruction.ts';
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
 * A loop of at most {@link MAX_EXTENSION_HEADERS} turns; a packet with more may match. Falls through at the
 * transport header.
 *
 * @param none where later pieces of a datagram go
 */
export function emitExtensionHeaders(
  assembler: Assembler,
  needs: { readonly protocol: boolean },
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
  // Through the stack the verifier forgets what it knows of the offset. Otherwise comparing it later
  // would make every number of turns a case of its own.
  storeSlot(assembler, FRAME.TRANSPORT, TRANSPORT);
  loadSlot(assembler, TRANSPORT, FRAME.TRANSPORT);
  loadSlot(assembler, DATA_END, FRAME.DATA_END);
  if (needs.protocol) storeSlot(assembler, FRAME.PROTOCOL, PROTOCOL);
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
