/**
 * Datagrams for sockets that are not connected (`cgroup_skb/ingress`): the first one from a remote
 * end is its `accept`, unless the socket wrote there first.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R10, type Register } from '../../bpf/instruction.ts';
import { SOCKET_EVENT } from '../../packet/event-layout.ts';
import { SKB, SOCK, TCP_STATE } from '../bpf/contexts.ts';
import { emitFamily, emitIPv4Address, emitIPv6Address } from '../events/emit-address.ts';
import { emitRecordHead } from '../events/emit-record.ts';
import { emitKnownState } from './adopt.ts';
import { RESULT, SOCKET_PROTOCOL } from './context.ts';
import { emitFlow, emitFlowKind } from './datagram-flow.ts';
import { SOCKET_EVENT_NUMBER } from './event-number.ts';
import {
  CONTEXT,
  emitCookie,
  emitNamespaceCheck,
  emitProcessFrom,
  emitSlotAddress,
  FRAME,
  recordAt,
  SOCKET,
  SOCKET_STATE,
  SPARE,
} from './frame.ts';
import { headOf } from './record-head.ts';
import { emitDelivery, emitFilter, emitResult, endingOf, type ProgramOptions } from './report.ts';
import { FLOW_KIND, STATE } from './state.ts';

const IPV4 = { HEADER_BYTES: 20, SOURCE: 12, DESTINATION: 16, LENGTH_MASK: 0xf } as const;
const IPV6 = { HEADER_BYTES: 40, NEXT_HEADER: 6, SOURCE: 8, DESTINATION: 24 } as const;
/** Ports: source, destination. */
const PORT_BYTES = 4;
const PORTS_AT: number = FRAME.PACKET + IPV6.HEADER_BYTES;
const IPV6_FIRST_BYTE = 0x60;

export function emitIngress(assembler: Assembler, options: ProgramOptions): void {
  const out = assembler.newLabel('out');
  const fresh = assembler.newLabel('fresh');
  const match = assembler.newLabel('match');
  assembler.move(CONTEXT, R1);
  emitOpenSocket(assembler, out);
  if (options.seesNamespaceOfPackets) {
    emitNamespaceCheck(assembler, options.namespaceCookie, out);
  }
  emitKnownState(assembler, options, SOCKET);
  // Only sockets of the namespace have something kept with them.
  if (!options.seesNamespaceOfPackets) assembler.jumpIf64('JEQ', SOCKET_STATE, 0, out);
  emitRecordHead(assembler, headOf(options, 'accept', 'sniffed'));
  assembler.storeImmediate('B', R10, recordAt(SOCKET_EVENT.PROTOCOL), SOCKET_PROTOCOL.UDP);
  emitPacketEnds(assembler, out);
  emitFamily(assembler, { local: true, remote: true });
  emitCookie(assembler);
  emitOwner(assembler);
  emitFlowKind(assembler, options, fresh);
  assembler.jumpIf('JNE', R0, FLOW_KIND.REFUSED, out);
  assembler.label(fresh);
  emitFlow(assembler, options, FLOW_KIND.ACCEPTED);
  if (endingOf(options) === 'sniffed') {
    const facts = {
      event: SOCKET_EVENT_NUMBER.accept,
      outbound: false,
      protocol: SOCKET_PROTOCOL.UDP,
    };
    emitFilter(assembler, options, facts, { match, reject: out });
    assembler.label(match);
    emitDelivery(assembler, options, 'sniffed');
  }
  assembler.label(out);
  emitResult(assembler, RESULT.PASS);
}

/** The socket register = the datagram socket the packet is for, unless it is connected. */
function emitOpenSocket(assembler: Assembler, out: Label): void {
  assembler.load('DW', R1, CONTEXT, SKB.SK);
  assembler.jumpIf64('JEQ', R1, 0, out);
  assembler.call('sk_fullsock');
  assembler.jumpIf64('JEQ', R0, 0, out);
  assembler.move(SOCKET, R0);
  assembler.load('W', R1, SOCKET, SOCK.PROTOCOL);
  assembler.jumpIf('JNE', R1, SOCKET_PROTOCOL.UDP, out);
  assembler.load('W', R1, SOCKET, SOCK.STATE);
  assembler.jumpIf('JEQ', R1, TCP_STATE.ESTABLISHED, out);
}

function emitOwner(assembler: Assembler): void {
  const none = assembler.newLabel();
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, none);
  emitProcessFrom(assembler, SOCKET_STATE, STATE.PROCESS);
  assembler.label(none);
}

/** The ends of the packet, which are the other way round for the socket. */
function emitPacketEnds(assembler: Assembler, out: Label): void {
  const { LOCAL_ADDRESS, REMOTE_ADDRESS, LOCAL_PORT, REMOTE_PORT } = SOCKET_EVENT;
  const ipv6 = assembler.newLabel('ipv6');
  const ports = assembler.newLabel('ports');
  assembler.moveImmediate(R2, 0);
  emitLoad(assembler, FRAME.PACKET, IPV4.HEADER_BYTES, out);
  assembler.load('B', SPARE, R10, FRAME.PACKET);
  assembler.jumpIf('JGE', SPARE, IPV6_FIRST_BYTE, ipv6);
  emitIPv4Address(assembler, R10, FRAME.PACKET + IPV4.SOURCE, REMOTE_ADDRESS);
  emitIPv4Address(assembler, R10, FRAME.PACKET + IPV4.DESTINATION, LOCAL_ADDRESS);
  assembler.alu('AND', SPARE, IPV4.LENGTH_MASK);
  assembler.alu('LSH', SPARE, 2);
  assembler.jump(ports);
  assembler.label(ipv6);
  assembler.moveImmediate(R2, 0);
  emitLoad(assembler, FRAME.PACKET, IPV6.HEADER_BYTES, out);
  assembler.load('B', R1, R10, FRAME.PACKET + IPV6.NEXT_HEADER);
  assembler.jumpIf('JNE', R1, SOCKET_PROTOCOL.UDP, out);
  emitIPv6Address(assembler, R10, FRAME.PACKET + IPV6.SOURCE, REMOTE_ADDRESS);
  emitIPv6Address(assembler, R10, FRAME.PACKET + IPV6.DESTINATION, LOCAL_ADDRESS);
  assembler.moveImmediate(SPARE, IPV6.HEADER_BYTES);
  assembler.label(ports);
  assembler.move(R2, SPARE);
  emitLoad(assembler, PORTS_AT, PORT_BYTES, out);
  emitPort(assembler, R0, PORTS_AT, REMOTE_PORT);
  emitPort(assembler, R0, PORTS_AT + 2, LOCAL_PORT);
}

function emitPort(assembler: Assembler, register: Register, slot: number, field: number): void {
  assembler.load('H', register, R10, slot);
  assembler.swapBigEndian(register, 16);
  assembler.store('H', R10, recordAt(field), register);
}

/** Copies bytes of the packet from offset r2 on to the stack. Loses r0-r5. */
function emitLoad(assembler: Assembler, slot: number, lengthBytes: number, out: Label): void {
  assembler.move(R1, CONTEXT);
  emitSlotAddress(assembler, R3, slot);
  assembler.moveImmediate(R4, lengthBytes);
  assembler.call('skb_load_bytes');
  assembler.jumpIf('JNE', R0, 0, out);
}
