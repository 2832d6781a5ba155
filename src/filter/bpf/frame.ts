/**
 * Where the programs keep things: registers that survive calls, and the stack.
 *
 *     r6  the context (`struct __sk_buff`)
 *     r7  protocol number; after the transport header was parsed, 0 when there is none
 *     r8  length of the IP header; after that, offset of the transport header
 *     r9  end of the IP data: the shorter of what the header says and what is there
 *
 * @module
 */

import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R6, R7, R8, R9, R10, type Register } from '../../bpf/instruction.ts';

export const CONTEXT: Register = R6;
export const PROTOCOL: Register = R7;
export const TRANSPORT: Register = R8;
export const DATA_END: Register = R9;

/** Offsets in `struct __sk_buff` (`include/uapi/linux/bpf.h`). */
export const SKB = {
  LEN: 0,
  PKT_TYPE: 4,
  MARK: 8,
  PROTOCOL: 16,
  INGRESS_IFINDEX: 36,
  IFINDEX: 40,
  GSO_SIZE: 176,
} as const;

/**
 * Offsets from the frame pointer. Words are never at a multiple of 8: there the verifier keeps track of what
 * was stored, and follows the same code once more for every value it knows.
 */
export const FRAME = {
  /** The start of the packet: its first 20 bytes, or 40, or 60, as it has them; the rest is zero. */
  NETWORK_HEADER: -64,
  /** First 20 bytes of a TCP header, 8 of others. */
  TRANSPORT_HEADER: -88,
  /** First 8 bytes of an IPv6 extension header. */
  EXTENSION_HEADER: -96,
  PAYLOAD_OFFSET: -100,
  /** Final protocol number. */
  PROTOCOL: -108,
  /** Other than 0: the packet is a fragment. */
  FRAGMENT: -116,
  /** Offset of the TCP or UDP checksum in the packet, or all ones. */
  CHECKSUM_OFFSET: -124,
  /** `DATA_END` while its register counts extension headers. */
  DATA_END: -132,
  /** `TRANSPORT` for a moment. */
  TRANSPORT: -140,
  /** 20 bytes: the key of a set's trie, the last 16 of them that of its hash. */
  SET_KEY: -164,
  /** 1 when the process is known; then its words, the name's least significant first. */
  HAS_PROCESS: -172,
  PROCESS_ID: -180,
  USER_ID: -188,
  PROCESS_NAME: [-196, -204, -212, -220],
} as const;

/** Reads a word of the stack. */
export function loadSlot(assembler: Assembler, register: Register, slot: number): void {
  assembler.load('W', register, R10, slot);
}

/** Writes a word of the stack. */
export function storeSlot(assembler: Assembler, slot: number, register: Register): void {
  assembler.store('W', R10, slot, register);
}

/**
 * Copies bytes of the packet to the stack; r0-r5 are lost.
 *
 * @param offset where in the packet: a constant, or the register that has it
 * @param slot where on the stack
 * @param lengthBytes how many; `null`: r4 says it
 * @param failed where to go when they are not there
 */
export function copyPacketBytes(
  assembler: Assembler,
  offset: number | { readonly register: Register },
  slot: number,
  lengthBytes: number | null,
  failed: Label,
): void {
  assembler.move(R1, CONTEXT);
  if (typeof offset === 'number') assembler.moveImmediate(R2, offset);
  else assembler.move(R2, offset.register);
  assembler.move(R3, R10);
  assembler.alu('ADD', R3, slot, 64);
  if (lengthBytes !== null) assembler.moveImmediate(R4, lengthBytes);
  assembler.call('skb_load_bytes');
  assembler.jumpIf('JNE', R0, 0, failed);
}

/** Where a program ends. */
export interface Exits {
  readonly accept: Label;
  readonly reject: Label;
}

/** First byte of the IP header: all IPv6 headers are at or above, all IPv4 headers below. */
export const IPV6_FIRST_BYTE = 0x60;

/** Loads a part of the IP header into r1, in host order. */
export function loadNetwork(assembler: Assembler, size: 'B' | 'H', offset: number): void {
  assembler.load(size, R1, R10, FRAME.NETWORK_HEADER + offset);
  if (size === 'H') assembler.swapBigEndian(R1, 16);
}
