/**
 * Finds the process behind a packet, in a program that has nothing but the packet.
 *
 * Most packets have their socket: its cookie leads to the owner. Those without one are found by their
 * addresses: what the kernel sends and takes for a connection that was ended, by the connection; what
 * comes for a listening or an unconnected socket, by the address that it is bound to. Where several
 * processes could be meant, none is.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R6, R10 } from '../../bpf/instruction.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { emitStackPointer } from '../sockets/emit.ts';
import type { TrackerMaps } from '../sockets/maps.ts';
import { BOUND_KEY, BOUND_VALUE, SOCKET_RECORD } from '../sockets/socket-record.ts';
import { emitHeader, HEADER_FRAME, IPV4, IPV6 } from './packet-header.ts';

/** Where the program runs. */
export interface ProcessLookup {
  readonly maps: TrackerMaps;
  /** SO_NETNS_COOKIE of the namespace that the hook is in. */
  readonly namespaceCookie: bigint;
  readonly direction: 'inbound' | 'outbound';
}

/** Offsets from the frame pointer; behind {@link HEADER_FRAME}. */
export const LOOKUP_FRAME = {
  /** u64 */
  COOKIE: -432,
  /** A pointer, while another call is made. */
  OWNER: -424,
  /** u32: 1 when the owner was found by an address. */
  BY_ADDRESS: -416,
  /** Key of the connection, then of the bound address. */
  KEY: -408,
} as const;

/** Offsets in the key of a connection; the first two are also those of a bound address. */
const KEY = {
  NETNS: 0,
  LOCAL: 8,
  REMOTE: 24,
  LOCAL_PORT: 40,
  REMOTE_PORT: 42,
  PROTOCOL: 44,
} as const;

/** Of the byte behind sequence numbers and data offset (RFC 9293 section 3.1). */
const TCP_FLAG = { SYN: 0x02, RST: 0x04, ACK: 0x10 } as const;

/** An ended connection's packets are its process's for a minute: as long as TIME_WAIT. 2^30 ns each. */
const CLOSED_SHIFT = 30;
const CLOSED_UNITS = 56;

const MAPPED_WORD = 0xffff;

/**
 * r0 = pointer to the owner (`SOCKET_RECORD` up to `OWNER_BYTES`, a `PROCESS_RECORD` first), or 0.
 *
 * Takes the context in r6; loses r0-r5, and the stack below {@link LOOKUP_FRAME}'s end.
 */
export function emitProcessLookup(assembler: Assembler, lookup: ProcessLookup): void {
  const done = assembler.newLabel('owner');
  emitByCookie(assembler, lookup, done);
  const none = assembler.newLabel('no_owner');
  emitHeader(assembler, none);
  emitByAddress(assembler, lookup, none);
  assembler.jump(done);
  assembler.label(none);
  assembler.moveImmediate(R0, 0);
  assembler.label(done);
}

/** Goes on at `found` with the owner of the packet's socket in r0. */
export function emitByCookie(assembler: Assembler, lookup: ProcessLookup, found: Label): void {
  const none = assembler.newLabel();
  assembler.comment('owner of the socket');
  assembler.storeImmediate('W', R10, LOOKUP_FRAME.BY_ADDRESS, 0);
  assembler.move(R1, R6);
  assembler.call('get_socket_cookie');
  assembler.store('DW', R10, LOOKUP_FRAME.COOKIE, R0);
  assembler.jumpIf64('JEQ', R0, 0, none);
  emitStackPointer(assembler, R2, LOOKUP_FRAME.COOKIE);
  assembler.loadMap(R1, lookup.maps.ownersFd);
  assembler.call('map_lookup_elem');
  assembler.jumpIf64('JNE', R0, 0, found);
  assembler.label(none);
}

/** r0 = the owner by the addresses that `emitHeader` found, or goto `none`. */
export function emitByAddress(assembler: Assembler, lookup: ProcessLookup, none: Label): void {
  const found = assembler.newLabel('found');
  const bound = assembler.newLabel('bound');
  const udp = assembler.newLabel('udp');
  const isOutbound = lookup.direction === 'outbound';
  assembler.load('W', R1, R10, HEADER_FRAME.PORTS);
  assembler.jumpIf('JEQ', R1, 0, none);
  emitKey(assembler, lookup);
  assembler.load('W', R1, R10, HEADER_FRAME.PROTOCOL);
  // What is sent over UDP has its socket.
  assembler.jumpIf('JEQ', R1, IPPROTO.UDP, isOutbound ? none : udp);
  assembler.jumpIf('JNE', R1, IPPROTO.TCP, none);
  emitTcpCase(assembler, isOutbound, bound, none);
  emitConnection(assembler, lookup, found, isOutbound ? none : bound);
  assembler.label(udp);
  assembler.comment('a socket of the kernel or one that is not known');
  assembler.load('DW', R1, R10, LOOKUP_FRAME.COOKIE);
  assembler.jumpIf64('JNE', R1, 0, none);
  assembler.label(bound);
  emitBoundAddress(assembler, lookup, none);
  assembler.label(found);
  assembler.storeImmediate('W', R10, LOOKUP_FRAME.BY_ADDRESS, 1);
}

/** Which TCP packets are a listening socket's, and which nobody's; the others fall through. */
function emitTcpCase(assembler: Assembler, isOutbound: boolean, bound: Label, none: Label): void {
  const other = assembler.newLabel();
  assembler.load('W', R1, R10, HEADER_FRAME.TCP_FLAGS);
  assembler.move(R2, R1);
  assembler.alu('AND', R2, TCP_FLAG.SYN | TCP_FLAG.ACK);
  assembler.jumpIf('JEQ', R2, TCP_FLAG.SYN, isOutbound ? none : bound);
  assembler.jumpIf('JEQ', R2, TCP_FLAG.SYN | TCP_FLAG.ACK, isOutbound ? bound : none);
  if (isOutbound) {
    assembler.comment("a reset without a socket is the kernel's answer");
    assembler.alu('AND', R1, TCP_FLAG.RST);
    assembler.jumpIf('JNE', R1, 0, none);
  }
  assembler.label(other);
}

/** Goes on at `found` with the owner of the connection in r0, or at `none`. */
function emitConnection(
  assembler: Assembler,
  { maps }: ProcessLookup,
  found: Label,
  none: Label,
): void {
  emitStackPointer(assembler, R2, LOOKUP_FRAME.KEY);
  assembler.loadMap(R1, maps.connectionsFd);
  assembler.call('map_lookup_elem');
  assembler.jumpIf64('JEQ', R0, 0, none);
  assembler.load('DW', R1, R0, SOCKET_RECORD.CLOSED);
  assembler.jumpIf64('JEQ', R1, 0, found);
  assembler.store('DW', R10, LOOKUP_FRAME.OWNER, R0);
  assembler.call('ktime_get_ns');
  assembler.move(R2, R0);
  assembler.load('DW', R0, R10, LOOKUP_FRAME.OWNER);
  assembler.load('DW', R1, R0, SOCKET_RECORD.CLOSED);
  assembler.aluRegister('SUB', R2, R1, 64);
  assembler.alu('RSH', R2, CLOSED_SHIFT, 64);
  assembler.jumpIf64('JGT', R2, CLOSED_UNITS, none);
  assembler.jump(found);
}

/** r0 = the owner of what is bound to the local address, to any IPv4 address, or to any; or goto `none`. */
function emitBoundAddress(assembler: Assembler, { maps }: ProcessLookup, none: Label): void {
  const check = assembler.newLabel('check');
  const anyAddress = assembler.newLabel();
  const key = LOOKUP_FRAME.KEY;
  assembler.load('H', R1, R10, key + KEY.LOCAL_PORT);
  assembler.store('W', R10, key + BOUND_KEY.PORT, R1);
  assembler.load('W', R1, R10, HEADER_FRAME.PROTOCOL);
  assembler.store('W', R10, key + BOUND_KEY.PROTOCOL, R1);
  const find = (): void => {
    emitStackPointer(assembler, R2, key);
    assembler.loadMap(R1, maps.boundFd);
    assembler.call('map_lookup_elem');
    assembler.jumpIf64('JNE', R0, 0, check);
  };
  find();
  assembler.load('W', R1, R10, HEADER_FRAME.IS_IPV6);
  assembler.jumpIf('JNE', R1, 0, anyAddress);
  assembler.storeImmediate('W', R10, key + BOUND_KEY.ADDRESS, 0);
  find();
  assembler.label(anyAddress);
  assembler.storeImmediate('DW', R10, key + BOUND_KEY.ADDRESS, 0);
  assembler.storeImmediate('DW', R10, key + BOUND_KEY.ADDRESS + 8, 0);
  find();
  assembler.jump(none);
  assembler.label(check);
  assembler.load('W', R1, R0, BOUND_VALUE.MIXED);
  assembler.jumpIf('JNE', R1, 0, none);
}

/** The key of the packet's connection, as a socket's record has it. */
function emitKey(assembler: Assembler, { namespaceCookie, direction }: ProcessLookup): void {
  const ipv6 = assembler.newLabel('ipv6');
  const ports = assembler.newLabel('ports');
  const isOutbound = direction === 'outbound';
  const [local, remote] = isOutbound
    ? (['SOURCE', 'DESTINATION'] as const)
    : (['DESTINATION', 'SOURCE'] as const);
  const key = LOOKUP_FRAME.KEY;
  const header = HEADER_FRAME.HEADER;
  assembler.loadImmediate64(R1, namespaceCookie);
  assembler.store('DW', R10, key + KEY.NETNS, R1);
  const word = (from: number, to: number): void => {
    assembler.load('W', R1, R10, header + from);
    assembler.swapBigEndian(R1, 32);
    assembler.store('W', R10, key + to, R1);
  };
  const ipv4 = (from: number, to: number): void => {
    word(from, to);
    assembler.storeImmediate('W', R10, key + to + 4, MAPPED_WORD);
    assembler.storeImmediate('DW', R10, key + to + 8, 0);
  };
  assembler.load('W', R1, R10, HEADER_FRAME.IS_IPV6);
  assembler.jumpIf('JNE', R1, 0, ipv6);
  ipv4(IPV4[local], KEY.LOCAL);
  ipv4(IPV4[remote], KEY.REMOTE);
  assembler.jump(ports);
  assembler.label(ipv6);
  for (let index = 0; index < 4; index++) {
    word(IPV6[local] + 4 * (3 - index), KEY.LOCAL + 4 * index);
    word(IPV6[remote] + 4 * (3 - index), KEY.REMOTE + 4 * index);
  }
  assembler.label(ports);
  const [localPort, remotePort] = isOutbound ? [0, 2] : [2, 0];
  for (const [from, to] of [
    [localPort, KEY.LOCAL_PORT],
    [remotePort, KEY.REMOTE_PORT],
  ] as const) {
    assembler.load('H', R1, R10, HEADER_FRAME.PORTS + from);
    assembler.swapBigEndian(R1, 16);
    assembler.store('H', R10, key + to, R1);
  }
  assembler.load('W', R1, R10, HEADER_FRAME.PROTOCOL);
  assembler.store('W', R10, key + KEY.PROTOCOL, R1);
}
