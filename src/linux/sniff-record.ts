/**
 * What a sniffing program writes for each packet that matches, and the code that writes it.
 *
 *     0   u32  bytes of the packet that are here
 *     4   u32  bytes it has
 *     8   u64  monotonic nanoseconds (bpf_ktime_get_ns)
 *     16  u32  interface index
 *     20  u32  bits of `ADDRESS_FLAGS`; the generation of the filter in the second byte; whether
 *              the owner is there
 *     24       with attribution 48 bytes: whose it is (`attribution/owner-part.ts`)
 *     24, 72   the packet, from its IP header on
 *
 * @module
 */
import type { Assembler, Label } from '../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R6, R7, R8, R9 } from '../bpf/instruction.ts';
import { ADDRESS_FLAGS } from '../packet/address.ts';
import { emitLookedUpPart, OWNER_PART_BYTES } from './attribution/owner-part.ts';
import type { ProcessLookup } from './attribution/process-lookup.ts';
import { emitCount } from './bpf/emit-count.ts';
import { RECORD_HEADER_BYTES } from './bpf/ringbuf.ts';
import { INJECTED_MARK } from './inject/mark.ts';

/** Offsets in a record. */
export const RECORD = {
  LENGTH: 0,
  ORIGINAL_LENGTH: 4,
  TIMESTAMP: 8,
  INTERFACE_INDEX: 16,
  CONSTANTS: 20,
  OWNER: 24,
} as const;

/** Where the packet begins in a record. */
export function packetOffset(hasOwner: boolean): number {
  return RECORD.OWNER + (hasOwner ? OWNER_PART_BYTES : 0);
}

/** Parts of the word at {@link RECORD.CONSTANTS}. */
export const CONSTANTS = {
  FLAGS_MASK: 0xff,
  GENERATION_SHIFT: 8,
  GENERATION_MASK: 0xff,
  HAS_OWNER: 0x1_0000,
} as const;

/** Offsets in the value of the counters' map, 64 bits each. */
export const SNIFF_COUNTER = { MATCHED: 0, RING_FULL: 8, BYTES: 16 } as const;

/** The largest packet: IPv6 with a full payload and its header, as WinDivert counts. */
export const MAX_SNAP_LENGTH = 65_575;

/**
 * Sizes of records. The kernel only takes a size it knows when the program is loaded, so there is
 * a choice of them, a quarter to a half apart: headers, small datagrams, full frames of 1500
 * bytes, and super-packets up to the largest. What a record has too much is copied too, so more
 * sizes cost less than they seem: a comparison each, for packets that are larger.
 */
const RECORD_SIZES = [
  88, 104, 120, 152, 184, 248, 312, 408, 504, 760, 1016, 1272, 1528, 2040, 3064, 4088, 6136, 8184,
  12280, 16376, 24568, 32760, 49144, 65528,
] as const;

/** How much larger the largest record is where lengths are masked, at most. */
const MASK_BYTES = 128;

/** Bytes of the largest record with its header: what must be free to take any. */
export const MAX_RECORD_BYTES: number =
  (RECORD_HEADER_BYTES + packetOffset(true) + MAX_SNAP_LENGTH + MASK_BYTES + 7) & ~7;

/** `__sk_buff` fields the code reads. */
const SKB = { LEN: 0, MARK: 8, IFINDEX: 40 } as const;

/** Where records go and what they say. */
export interface RecordOptions {
  readonly ringFd: number;
  /** An array map with one value of {@link SNIFF_COUNTER.BYTES}. */
  readonly countersFd: number;
  /** 1..{@link MAX_SNAP_LENGTH}. */
  readonly snapLength: number;
  /** 'context' where the packet knows it. */
  readonly interfaceIndex: number | 'context';
  /** Bits of `ADDRESS_FLAGS` that every packet has. */
  readonly flags: number;
  /** 0..255. */
  readonly generation: number;
  /** As in `BpfOptions`: no comparison tells the verifier how long the packet is. */
  readonly speculation: boolean;
  /** Finds the packet's owner, which then is in the record. */
  readonly owner?: ProcessLookup | undefined;
}

/**
 * Writes a record for the packet and returns no match, so that it goes on. Counts the packet, and
 * again when the ring is full. Takes the context in r6; uses every register.
 */
export function emitRecord(assembler: Assembler, options: RecordOptions): void {
  const done = assembler.newLabel('done');
  const full = assembler.newLabel('ring_full');
  emitCount(assembler, options.countersFd, SNIFF_COUNTER.MATCHED);
  emitLength(assembler, options.snapLength, done);
  emitReserve(assembler, options, full);
  emitHeader(assembler, options);
  if (options.owner) emitLookedUpPart(assembler, options.owner, R9, RECORD.OWNER);
  assembler.move(R1, R6);
  assembler.moveImmediate(R2, 0);
  assembler.move(R3, R9);
  assembler.alu('ADD', R3, packetOffset(options.owner !== undefined), 64);
  assembler.move(R4, R7);
  // All of these bytes are there: it cannot fail.
  assembler.call('skb_load_bytes');
  assembler.move(R1, R9);
  assembler.moveImmediate(R2, 0);
  assembler.call('ringbuf_submit');
  assembler.jump(done);
  assembler.label(full);
  emitCount(assembler, options.countersFd, SNIFF_COUNTER.RING_FULL);
  assembler.label(done);
  assembler.moveImmediate(R0, 0);
  assembler.exit();
}

/** r8 = the packet's length, r7 = how much of it is kept, at least 1. */
function emitLength(assembler: Assembler, snapLength: number, none: Label): void {
  const whole = assembler.newLabel();
  assembler.load('W', R8, R6, SKB.LEN);
  assembler.move(R7, R8);
  assembler.jumpIf64('JLE', R7, snapLength, whole);
  assembler.moveImmediate(R7, snapLength);
  assembler.label(whole);
  // Not `== 0`: from that, verifiers up to Linux 6.1 learn no lower bound.
  assembler.jumpIf64('JLT', R7, 1, none);
}

/** r9 = a record with room for r7 bytes of packet. */
function emitReserve(assembler: Assembler, options: RecordOptions, full: Label): void {
  const reserve = assembler.newLabel('reserve');
  const packet = packetOffset(options.owner !== undefined);
  let below = 0;
  for (const size of RECORD_SIZES) {
    const atMost = size - packet;
    if (atMost >= options.snapLength) break;
    const larger = assembler.newLabel();
    assembler.jumpIf64('JGT', R7, atMost, larger);
    emitSize(assembler, options, below, atMost);
    assembler.jump(reserve);
    assembler.label(larger);
    below = atMost;
  }
  emitSize(assembler, options, below, options.snapLength);
  assembler.label(reserve);
  assembler.loadMap(R1, options.ringFd);
  assembler.moveImmediate(R3, 0);
  assembler.call('ringbuf_reserve');
  assembler.jumpIf64('JEQ', R0, 0, full);
  assembler.move(R9, R0);
}

/** r2 = size of a record for `below` < r7 <= `atMost`; with a mask r7 stays what it is, and is known to be that. */
function emitSize(
  assembler: Assembler,
  { owner, speculation }: RecordOptions,
  below: number,
  atMost: number,
): void {
  const packet = packetOffset(owner !== undefined);
  if (!speculation) {
    assembler.moveImmediate(R2, packet + atMost);
    return;
  }
  const span = 2 ** Math.ceil(Math.log2(atMost - below));
  assembler.alu('SUB', R7, below + 1, 64);
  assembler.alu('AND', R7, span - 1, 64);
  assembler.alu('ADD', R7, below + 1, 64);
  assembler.moveImmediate(R2, packet + below + span);
}

function emitHeader(assembler: Assembler, options: RecordOptions): void {
  const { flags, generation, interfaceIndex } = options;
  assembler.store('W', R9, RECORD.LENGTH, R7);
  assembler.store('W', R9, RECORD.ORIGINAL_LENGTH, R8);
  if (interfaceIndex === 'context') {
    assembler.load('W', R1, R6, SKB.IFINDEX);
    assembler.store('W', R9, RECORD.INTERFACE_INDEX, R1);
  } else {
    assembler.storeImmediate('W', R9, RECORD.INTERFACE_INDEX, interfaceIndex);
  }
  const notInjected = assembler.newLabel();
  const hasOwner = options.owner ? CONSTANTS.HAS_OWNER : 0;
  assembler.moveImmediate(R2, flags | (generation << CONSTANTS.GENERATION_SHIFT) | hasOwner);
  assembler.load('W', R1, R6, SKB.MARK);
  assembler.alu('AND', R1, INJECTED_MARK.MASK);
  assembler.jumpIf('JNE', R1, INJECTED_MARK.VALUE, notInjected);
  assembler.alu('OR', R2, ADDRESS_FLAGS.IMPOSTOR);
  assembler.label(notInjected);
  assembler.store('W', R9, RECORD.CONSTANTS, R2);
  assembler.call('ktime_get_ns');
  assembler.store('DW', R9, RECORD.TIMESTAMP, R0);
}
