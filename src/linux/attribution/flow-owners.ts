/**
 * Whose the packets are that a program handed on, by their addresses: written by the program when one
 * matches, read when somebody asks.
 *
 * An entry is for one direction of a flow. A packet may be asked about long after it matched, when
 * another process has the same addresses: so an entry says since when it is true, and whether it was
 * another's before. In case of doubt nobody is named.
 *
 * @module
 */
import type { Assembler } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R10 } from '../../bpf/instruction.ts';
import { PROCESS_RECORD } from '../../packet/event-layout.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { BpfMap } from '../bpf/map.ts';
import { emitCopy, emitStackPointer } from '../sockets/emit.ts';
import { emitNobody, emitOwnerPart, OWNER_PART } from './owner-part.ts';
import {
  emitHeader,
  FRAGMENT_OFFSET_MASK,
  HEADER_FRAME,
  ICMP_IDENTIFIER_AT,
  IPV4,
  IPV6,
} from './packet-header.ts';
import { emitByAddress, emitByCookie, type ProcessLookup } from './process-lookup.ts';

/** Offsets in a key: addresses and ports as they are in the packet. */
export const FLOW_KEY = {
  ADDRESSES: 0,
  PORTS: 32,
  PROTOCOL: 36,
  DIRECTION: 37,
  IS_IPV6: 38,
  BYTES: 40,
} as const;

/** Offsets in a value: an {@link OWNER_PART} first. */
const FLOW_OWNER = {
  ...OWNER_PART,
  /** u32: other than 0 when the flow was another process's before. */
  HAS_CHANGED: 44,
  /** u64, monotonic nanoseconds, since when the flow is its. */
  SINCE: 48,
  BYTES: 56,
} as const;

const FRAME = { KEY: -352, VALUE: -312 } as const;

/** Flows of which the owner is known; the longest unused are given up first. */
const MAX_FLOWS = 1 << 15;

/** From a program's run to the packet's place in the queue, at most. */
const MATCH_TO_QUEUE_NS = 10_000_000n;
/** An entry made so much later than a packet was read is not the packet's. */
const READ_NS = 1_000_000_000n;

/**
 * Notes whose the packet is, and says that it matches. Takes the context in r6; loses r0-r5, and the stack from -512 to -256.
 *
 * @param flowsFd of the map that {@link createFlowOwners} made
 */
export function emitFlowOwner(assembler: Assembler, lookup: ProcessLookup, flowsFd: number): void {
  const found = assembler.newLabel('owner');
  const none = assembler.newLabel('no_owner');
  const write = assembler.newLabel('write');
  const done = assembler.newLabel('noted');
  emitHeader(assembler, done);
  emitByCookie(assembler, lookup, found);
  emitByAddress(assembler, lookup, none);
  assembler.label(found);
  emitOwnerPart(assembler, R10, FRAME.VALUE);
  assembler.jump(write);
  assembler.label(none);
  emitNobody(assembler, R10, FRAME.VALUE);
  assembler.label(write);
  emitKey(assembler, lookup.direction);
  emitWrite(assembler, flowsFd);
  assembler.label(done);
  assembler.moveImmediate(R0, 1);
  assembler.exit();
}

function emitKey(assembler: Assembler, direction: 'inbound' | 'outbound'): void {
  const ipv6 = assembler.newLabel();
  const rest = assembler.newLabel();
  const key = FRAME.KEY;
  const { HEADER, IS_IPV6, PORTS, PROTOCOL } = HEADER_FRAME;
  assembler.load('W', R1, R10, IS_IPV6);
  assembler.jumpIf('JNE', R1, 0, ipv6);
  for (let at = 8; at < FLOW_KEY.PORTS; at += 8) assembler.storeImmediate('DW', R10, key + at, 0);
  for (let at = 0; at < 8; at += 4) {
    assembler.load('W', R1, R10, HEADER + IPV4.SOURCE + at);
    assembler.store('W', R10, key + at, R1);
  }
  assembler.jump(rest);
  assembler.label(ipv6);
  emitCopy(assembler, R10, key, R10, HEADER + IPV6.SOURCE, FLOW_KEY.PORTS);
  assembler.label(rest);
  assembler.load('W', R1, R10, PORTS);
  assembler.store('W', R10, key + FLOW_KEY.PORTS, R1);
  assembler.load('W', R1, R10, IS_IPV6);
  assembler.alu('LSH', R1, 16);
  assembler.load('W', R2, R10, PROTOCOL);
  assembler.aluRegister('OR', R1, R2);
  assembler.alu('OR', R1, direction === 'outbound' ? 1 << 8 : 0);
  assembler.store('W', R10, key + FLOW_KEY.PROTOCOL, R1);
}

/** Nothing is written while the flow stays the same process's. */
function emitWrite(assembler: Assembler, flowsFd: number): void {
  const add = assembler.newLabel('new_flow');
  const change = assembler.newLabel('changed_owner');
  const same = assembler.newLabel('same_owner');
  const update = assembler.newLabel('update');
  const done = assembler.newLabel();
  const { KEY: key, VALUE: value } = FRAME;
  emitStackPointer(assembler, R2, key);
  assembler.loadMap(R1, flowsFd);
  assembler.call('map_lookup_elem');
  assembler.jumpIf64('JEQ', R0, 0, add);
  assembler.load('W', R1, R0, FLOW_OWNER.PROCESS + PROCESS_RECORD.PROCESS_ID);
  assembler.load('W', R2, R10, value + FLOW_OWNER.PROCESS + PROCESS_RECORD.PROCESS_ID);
  assembler.jumpIfRegister('JEQ', R1, R2, same);
  assembler.comment("a connection that was taken for its listening process's, and is another's");
  assembler.load('W', R1, R0, FLOW_OWNER.IS_LIKELY);
  assembler.jumpIf('JEQ', R1, 0, change);
  assembler.load('W', R1, R10, value + FLOW_OWNER.IS_LIKELY);
  assembler.jumpIf('JNE', R1, 0, change);
  assembler.load('W', R1, R10, HEADER_FRAME.PROTOCOL);
  assembler.jumpIf('JNE', R1, IPPROTO.TCP, change);
  assembler.jumpIf('JEQ', R2, 0, change);
  assembler.label(same);
  assembler.comment('by another socket, or known better');
  assembler.load('DW', R1, R0, FLOW_OWNER.SINCE);
  assembler.store('DW', R10, value + FLOW_OWNER.SINCE, R1);
  assembler.load('W', R1, R0, FLOW_OWNER.HAS_CHANGED);
  assembler.store('W', R10, value + FLOW_OWNER.HAS_CHANGED, R1);
  assembler.load('DW', R1, R0, FLOW_OWNER.OWNER_SINCE);
  assembler.load('DW', R2, R10, value + FLOW_OWNER.OWNER_SINCE);
  assembler.aluRegister('XOR', R1, R2, 64);
  assembler.load('W', R3, R0, FLOW_OWNER.IS_LIKELY);
  assembler.load('W', R4, R10, value + FLOW_OWNER.IS_LIKELY);
  assembler.aluRegister('XOR', R3, R4);
  assembler.aluRegister('OR', R1, R3, 64);
  assembler.jumpIf64('JEQ', R1, 0, done);
  assembler.jump(update);
  assembler.label(change);
  assembler.storeImmediate('W', R10, value + FLOW_OWNER.HAS_CHANGED, 1);
  emitNow(assembler);
  assembler.jump(update);
  assembler.label(add);
  assembler.storeImmediate('W', R10, value + FLOW_OWNER.HAS_CHANGED, 0);
  emitNow(assembler);
  assembler.label(update);
  emitStackPointer(assembler, R2, key);
  emitStackPointer(assembler, R3, value);
  assembler.moveImmediate(R4, 0);
  assembler.loadMap(R1, flowsFd);
  assembler.call('map_update_elem');
  assembler.label(done);
}

function emitNow(assembler: Assembler): void {
  assembler.call('ktime_get_ns');
  assembler.store('DW', R10, FRAME.VALUE + FLOW_OWNER.SINCE, R0);
}

/** A packet as it was read. */
export interface QueuedPacket extends PacketPlace {
  /** Monotonic nanoseconds, when it was read. */
  readonly timestampNs: bigint;
  /** Monotonic nanoseconds: it was put into the queue later. */
  readonly queuedAfterNs: bigint;
}

/** The flows of one channel. */
export class FlowOwners {
  readonly #map: BpfMap;
  readonly #key: Uint8Array = new Uint8Array(FLOW_KEY.BYTES);
  #isOpen = true;

  /** @param name of the map, for listings */
  constructor(name: string) {
    this.#map = new BpfMap({
      name,
      type: 'LRU_HASH',
      keyBytes: FLOW_KEY.BYTES,
      valueBytes: FLOW_OWNER.BYTES,
      maxEntries: MAX_FLOWS,
    });
  }

  /** For {@link emitFlowOwner}. */
  get fd(): number {
    return this.#map.fd;
  }

  /**
   * Whose a packet is.
   *
   * @returns an {@link OWNER_PART}, valid until the next call; null where it cannot be said
   */
  find(packet: QueuedPacket, isOutbound: boolean): Uint8Array | null {
    if (!this.#isOpen || !writeFlowKey(this.#key, packet, isOutbound)) return null;
    const value = this.#map.lookup(this.#key);
    if (value === null) return null;
    const view = new DataView(value.buffer, value.byteOffset, FLOW_OWNER.BYTES);
    const sinceNs = view.getBigUint64(FLOW_OWNER.SINCE, true);
    const hasChanged = view.getUint32(FLOW_OWNER.HAS_CHANGED, true) !== 0;
    // It matched before it was queued, by what a busy processor may take in between.
    if (hasChanged && sinceNs > packet.queuedAfterNs - MATCH_TO_QUEUE_NS) return null;
    return sinceNs > packet.timestampNs + READ_NS ? null : value;
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#map.close();
  }
}

/** Where a packet lies. */
export interface PacketPlace {
  readonly memory: Uint8Array;
  readonly offset: number;
  readonly length: number;
}

/** Writes the key of a packet's flow, as the program does; false when it has no whole IP header. */
export function writeFlowKey(key: Uint8Array, packet: PacketPlace, isOutbound: boolean): boolean {
  const { memory, offset, length } = packet;
  const isIPv6 = (memory[offset] ?? 0) >> 4 === 6;
  const headerBytes = isIPv6 ? IPV6.BYTES : IPV4.BYTES;
  if (length < headerBytes) return false;
  key.fill(0);
  const source = offset + (isIPv6 ? IPV6.SOURCE : IPV4.SOURCE);
  const addressBytes = isIPv6 ? 32 : 8;
  for (let at = 0; at < addressBytes; at++) key[at] = memory[source + at] ?? 0;
  const protocol = memory[offset + (isIPv6 ? IPV6.NEXT_HEADER : IPV4.PROTOCOL)] ?? 0;
  key[FLOW_KEY.PROTOCOL] = protocol;
  key[FLOW_KEY.DIRECTION] = isOutbound ? 1 : 0;
  key[FLOW_KEY.IS_IPV6] = isIPv6 ? 1 : 0;
  if (!isIPv6 && isLaterPiece(memory, offset)) return true;
  const transport = isIPv6 ? IPV6.BYTES : ((memory[offset] ?? 0) & 0x0f) * 4;
  writePorts(key, packet, transport, protocol);
  return true;
}

function isLaterPiece(memory: Uint8Array, offset: number): boolean {
  const at = offset + IPV4.FRAGMENT;
  return ((((memory[at] ?? 0) << 8) | (memory[at + 1] ?? 0)) & FRAGMENT_OFFSET_MASK) !== 0;
}

/** A part that the packet does not have whole is zero. */
function writePorts(
  key: Uint8Array,
  packet: PacketPlace,
  transport: number,
  protocol: number,
): void {
  const { memory, offset, length } = packet;
  const copy = (at: number, target: number, bytes: number): void => {
    if (transport + at + bytes > length) return;
    for (let index = 0; index < bytes; index++) {
      key[target + index] = memory[offset + transport + at + index] ?? 0;
    }
  };
  if (protocol === IPPROTO.TCP || protocol === IPPROTO.UDP) {
    copy(0, FLOW_KEY.PORTS, 4);
  } else if (protocol === IPPROTO.ICMP || protocol === IPPROTO.ICMPV6) {
    copy(0, FLOW_KEY.PORTS, 2);
    copy(ICMP_IDENTIFIER_AT, FLOW_KEY.PORTS + 2, 2);
  }
}
