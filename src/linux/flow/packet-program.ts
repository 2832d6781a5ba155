/**
 * Flows without connections, UDP and ICMP: one begins with the first packet between a socket and a
 * remote end. Every packet of these protocols that a socket sends or gets passes here.
 *
 * @module
 */
import { Assembler, type Label } from '../../bpf/assembler.ts';
import {
  type Instruction,
  R0,
  R1,
  R2,
  R3,
  R4,
  R6,
  R7,
  R8,
  R9,
  R10,
} from '../../bpf/instruction.ts';
import { ADDRESS_FLAGS } from '../../packet/address.ts';
import { EVENT_RECORD, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { BPF_UPDATE_FLAG } from '../bpf/constants.ts';
import { SKB, SOCK } from '../bpf/contexts.ts';
import { emitCount } from '../bpf/emit-count.ts';
import { EVENT_COUNTER } from '../events/counter.ts';
import { emitFamily } from '../events/emit-address.ts';
import { emitOwner } from '../events/emit-owner.ts';
import { emitRecordHead, emitReport, RECORD_AT } from '../events/emit-record.ts';
import { emitAllow, emitCopy, emitStart, emitStorage, STORAGE_CREATE } from '../sockets/emit.ts';
import { SOCKET_RECORD } from '../sockets/socket-record.ts';
import { emitNamespaceCheck } from './emit-namespace.ts';
import { FLOW_EVENT, FLOW_FRAME, FLOW_KEY, FLOW_VALUE } from './layout.ts';
import { emitHeaderAddress, emitHeaders } from './packet-header.ts';
import type { FlowProgramOptions } from './program-options.ts';

const { KEY, TRANSPORT, VALUE } = FLOW_FRAME;
const ADDRESS_BYTES = 16;
/** The loopback device has index 1 in every namespace (`LOOPBACK_IFINDEX`). */
const LOOPBACK_INTERFACE = 1;
const EEXIST = 17;

/** Replies of ICMP and the types they reply to: both are one flow. */
const REPLIES: readonly (readonly [protocol: number, reply: number, request: number])[] = [
  [IPPROTO.ICMP, 0, 8],
  [IPPROTO.ICMP, 14, 13],
  [IPPROTO.ICMP, 16, 15],
  [IPPROTO.ICMP, 18, 17],
  [IPPROTO.ICMPV6, 129, 128],
];

/** Options of this program. */
export interface PacketProgramOptions extends FlowProgramOptions {
  readonly direction: 'inbound' | 'outbound';
  /** IPPROTO_*; packets of others are no flows. */
  readonly protocols: readonly number[];
}

/** Makes the program for `BPF_CGROUP_INET_INGRESS` or `BPF_CGROUP_INET_EGRESS`. */
export function packetFlowProgram(options: PacketProgramOptions): readonly Instruction[] {
  const assembler = new Assembler();
  const done = assembler.newLabel('done');
  const known = assembler.newLabel('known');
  emitStart(assembler);
  emitSocket(assembler, options, done);
  emitHeaders(assembler, options.protocols, done);
  emitKey(assembler, options);
  emitFlowCall(assembler, options.flowsFd, 'map_lookup_elem');
  assembler.jumpIf64('JNE', R0, 0, known);
  emitFlow(assembler, options, done);
  assembler.label(known);
  assembler.move(R8, R0);
  // Of the last tick: a few milliseconds do not matter, and the exact time costs more than the rest.
  assembler.call('ktime_get_coarse_ns');
  assembler.store('DW', R8, FLOW_VALUE.LAST_SEEN, R0);
  assembler.label(done);
  emitAllow(assembler);
  return assembler.assemble().instructions;
}

/** r9 = the socket, r7 = its record; only sockets of the namespace that are not TCP's go on. */
function emitSocket(assembler: Assembler, options: PacketProgramOptions, done: Label): void {
  assembler.load('DW', R1, R6, SKB.SK);
  assembler.jumpIf64('JEQ', R1, 0, done);
  assembler.call('sk_fullsock');
  assembler.jumpIf64('JEQ', R0, 0, done);
  assembler.move(R9, R0);
  assembler.load('W', R1, R9, SOCK.PROTOCOL);
  assembler.jumpIf('JEQ', R1, IPPROTO.TCP, done);
  emitStorage(assembler, options.ownersFd, R9, done);
  // Before Linux 6.15 this kind of program cannot ask for it.
  assembler.load('DW', R2, R7, SOCKET_RECORD.NETNS_COOKIE);
  emitNamespaceCheck(assembler, R2, options.namespaceCookie, done);
}

function emitKey(assembler: Assembler, { direction }: PacketProgramOptions): void {
  const isOutbound = direction === 'outbound';
  const udp = assembler.newLabel('udp');
  const done = assembler.newLabel('key');
  assembler.load('DW', R1, R7, SOCKET_RECORD.COOKIE);
  assembler.store('DW', R10, KEY + FLOW_KEY.COOKIE, R1);
  const remote = isOutbound ? 'destination' : 'source';
  emitHeaderAddress(assembler, remote, R10, KEY + FLOW_KEY.REMOTE_ADDRESS);
  assembler.storeImmediate('DW', R10, KEY + FLOW_KEY.REMOTE_PORT, 0);
  assembler.store('B', R10, KEY + FLOW_KEY.PROTOCOL, R8);
  assembler.jumpIf('JEQ', R8, IPPROTO.UDP, udp);
  emitMessageClass(assembler);
  assembler.jump(done);
  assembler.label(udp);
  assembler.load('H', R1, R10, TRANSPORT + (isOutbound ? 2 : 0));
  assembler.swapBigEndian(R1, 16);
  assembler.store('H', R10, KEY + FLOW_KEY.REMOTE_PORT, R1);
  assembler.label(done);
}

/** Type and code of an ICMP message, replies as what they reply to. */
function emitMessageClass(assembler: Assembler): void {
  const found = assembler.newLabel('message_class');
  assembler.load('B', R1, R10, TRANSPORT);
  for (const [protocol, reply, request] of REPLIES) {
    const next = assembler.newLabel();
    assembler.jumpIf('JNE', R1, reply, next);
    assembler.jumpIf('JNE', R8, protocol, next);
    assembler.moveImmediate(R1, request);
    assembler.jump(found);
    assembler.label(next);
  }
  assembler.label(found);
  assembler.store('B', R10, KEY + FLOW_KEY.REMOTE_PORT, R1);
  assembler.load('B', R1, R10, TRANSPORT + 1);
  assembler.store('B', R10, KEY + FLOW_KEY.REMOTE_PORT + 1, R1);
}

/** Calls a function of maps with the table and the key. */
function emitFlowCall(
  assembler: Assembler,
  flowsFd: number,
  call: 'map_lookup_elem' | 'map_update_elem',
): void {
  assembler.loadMap(R1, flowsFd);
  assembler.move(R2, R10);
  assembler.alu('ADD', R2, KEY, 64);
  assembler.call(call);
}

/** A flow begins: its record goes to the table and, when the filter matches, to the ring. */
function emitFlow(assembler: Assembler, options: PacketProgramOptions, done: Label): void {
  const { tests, sets, sink, generation, direction } = options;
  const outbound = direction === 'outbound';
  const event = FLOW_EVENT.ESTABLISHED;
  const flags = outbound ? ADDRESS_FLAGS.OUTBOUND : 0;
  emitRecordHead(assembler, { layer: 'flow', event, flags, generation });
  emitEnds(assembler, outbound);
  emitOwner(assembler, R7);
  emitFamily(assembler, { local: true, remote: true });
  emitLoopbackDevice(assembler);
  emitMark(assembler, options.recordsFd);
  emitInsert(assembler, options, done);
  const facts = { event, outbound };
  // The key and the copy of the packet, which looking into sets overwrites, are of no more use.
  emitReport(assembler, { tests, layer: 'flow', sets, facts }, sink, { reject: done, done });
}

function emitEnds(assembler: Assembler, outbound: boolean): void {
  const { ENDPOINT_ID, LOCAL_ADDRESS, REMOTE_ADDRESS, LOCAL_PORT, REMOTE_PORT, PROTOCOL } =
    SOCKET_EVENT;
  const udp = assembler.newLabel('ports');
  const done = assembler.newLabel('ends');
  emitCopy(assembler, R10, RECORD_AT + ENDPOINT_ID, R10, KEY + FLOW_KEY.COOKIE, 8);
  emitHeaderAddress(assembler, outbound ? 'source' : 'destination', R10, RECORD_AT + LOCAL_ADDRESS);
  for (let at = 0; at < ADDRESS_BYTES; at += 4) {
    assembler.load('W', R1, R10, KEY + FLOW_KEY.REMOTE_ADDRESS + at);
    assembler.store('W', R10, RECORD_AT + REMOTE_ADDRESS + at, R1);
  }
  assembler.store('B', R10, RECORD_AT + PROTOCOL, R8);
  const [first, second] = [RECORD_AT + LOCAL_PORT, RECORD_AT + REMOTE_PORT];
  assembler.jumpIf('JEQ', R8, IPPROTO.UDP, udp);
  for (const [from, to] of [
    [TRANSPORT, first],
    [TRANSPORT + 1, second],
  ] as const) {
    assembler.load('B', R1, R10, from);
    assembler.store('H', R10, to, R1);
  }
  assembler.jump(done);
  assembler.label(udp);
  for (const [from, to] of [
    [TRANSPORT, outbound ? first : second],
    [TRANSPORT + 2, outbound ? second : first],
  ] as const) {
    assembler.load('H', R1, R10, from);
    assembler.swapBigEndian(R1, 16);
    assembler.store('H', R10, to, R1);
  }
  assembler.label(done);
}

/** From this host to this host by any address: the packet is on the loopback device. */
function emitLoopbackDevice(assembler: Assembler): void {
  const other = assembler.newLabel('other_device');
  assembler.load('W', R1, R6, SKB.IFINDEX);
  assembler.jumpIf('JNE', R1, LOOPBACK_INTERFACE, other);
  assembler.load('B', R1, R10, RECORD_AT + EVENT_RECORD.FLAGS);
  assembler.alu('OR', R1, ADDRESS_FLAGS.LOOPBACK);
  assembler.store('B', R10, RECORD_AT + EVENT_RECORD.FLAGS, R1);
  assembler.label(other);
}

/** Marks the socket as one with flows, for when it is gone. Without memory for that they time out. */
function emitMark(assembler: Assembler, recordsFd: number): void {
  const full = assembler.newLabel('not_marked');
  emitStorage(assembler, recordsFd, R9, full, STORAGE_CREATE);
  assembler.label(full);
}

function emitInsert(assembler: Assembler, options: PacketProgramOptions, done: Label): void {
  const inserted = assembler.newLabel('new_flow');
  const at = RECORD_AT + EVENT_RECORD.TIMESTAMP;
  emitCopy(assembler, R10, VALUE + FLOW_VALUE.LAST_SEEN, R10, at, 8);
  assembler.move(R3, R10);
  assembler.alu('ADD', R3, VALUE, 64);
  assembler.moveImmediate(R4, BPF_UPDATE_FLAG.BPF_NOEXIST);
  emitFlowCall(assembler, options.flowsFd, 'map_update_elem');
  assembler.jumpIf('JEQ', R0, 0, inserted);
  // Another processor was first.
  assembler.jumpIf('JEQ', R0, -EEXIST, done);
  emitCount(assembler, options.sink.countersFd, EVENT_COUNTER.TABLE_FULL);
  assembler.jump(done);
  assembler.label(inserted);
}
