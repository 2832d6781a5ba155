/**
 * The programs that keep the records: at the creation, use and end of every socket.
 *
 * @module
 */
import { Assembler, type Label } from '../../bpf/assembler.ts';
import {
  type Instruction,
  R0,
  R1,
  R2,
  R6,
  R7,
  R8,
  R9,
  type Register,
} from '../../bpf/instruction.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { SOCK, SOCK_ADDR, SOCK_OPS, SOCK_OPS_OP, TCP_STATE } from '../bpf/contexts.ts';
import { emitStateCallbacks } from '../bpf/emit-state-callbacks.ts';
import { emitAllow, emitSetFlags, emitStart, emitStorage, STORAGE_CREATE } from './emit.ts';
import { emitAddress } from './emit-address.ts';
import { emitBind, emitDevice, emitUnbind } from './emit-bound.ts';
import { emitCurrentProcess, emitOwn, emitRefresh } from './emit-process.ts';
import { emitForget, emitPublish, emitUpdate } from './emit-publish.ts';
import type { TrackerMaps } from './maps.ts';
import { BOUND_KEY, SOCKET_FLAGS, SOCKET_RECORD } from './socket-record.ts';

/** A hook that is there for each IP version. */
export type Version = 'ipv4' | 'ipv6';

/** A new socket: whose it is. */
export function createProgram(maps: TrackerMaps): readonly Instruction[] {
  const assembler = new Assembler();
  const done = assembler.newLabel('done');
  emitStart(assembler);
  emitStorage(assembler, maps.storageFd, R6, done, STORAGE_CREATE);
  emitCurrentProcess(assembler, maps);
  emitOwn(assembler);
  assembler.load('DW', R1, R7, SOCKET_RECORD.OWNER_SINCE);
  assembler.store('DW', R7, SOCKET_RECORD.CREATED, R1);
  emitIdentity(assembler, SOCK.FAMILY);
  assembler.load('W', R1, R6, SOCK.PROTOCOL);
  assembler.store('W', R7, SOCKET_RECORD.PROTOCOL, R1);
  emitPublish(assembler, maps);
  assembler.label(done);
  emitAllow(assembler);
  return assembler.assemble().instructions;
}

/** After bind: the address and the port that it got. */
export function boundProgram(maps: TrackerMaps, family: Version): readonly Instruction[] {
  const assembler = new Assembler();
  const done = assembler.newLabel('done');
  emitStart(assembler);
  emitStorage(assembler, maps.storageFd, R6, done);
  emitUnbind(assembler, maps.boundFd);
  emitLocal(assembler, R6, family);
  emitSetFlags(assembler, SOCKET_FLAGS.BOUND);
  assembler.load('W', R1, R7, SOCKET_RECORD.PROTOCOL);
  assembler.jumpIf('JNE', R1, IPPROTO.UDP, done);
  emitBind(assembler, maps.boundFd);
  assembler.label(done);
  emitAllow(assembler);
  return assembler.assemble().instructions;
}

/**
 * accept, and getpeername: a connection that was taken for its listening process's is this one's. A
 * process that only looks at another's socket changes nothing.
 */
export function acceptProgram(maps: TrackerMaps): readonly Instruction[] {
  const assembler = new Assembler();
  const done = assembler.newLabel('done');
  const { ACCEPTED, LIKELY } = SOCKET_FLAGS;
  emitStart(assembler);
  assembler.load('DW', R8, R6, SOCK_ADDR.SK);
  emitStorage(assembler, maps.storageFd, R8, done);
  assembler.load('W', R1, R7, SOCKET_RECORD.FLAGS);
  assembler.alu('AND', R1, ACCEPTED | LIKELY);
  assembler.jumpIf('JNE', R1, ACCEPTED | LIKELY, done);
  emitRefresh(assembler, maps);
  assembler.label(done);
  emitAllow(assembler);
  return assembler.assemble().instructions;
}

/** bind, maybe by another process than before. */
export function bindProgram(maps: TrackerMaps): readonly Instruction[] {
  const assembler = new Assembler();
  const done = assembler.newLabel('done');
  emitStart(assembler);
  assembler.load('DW', R8, R6, SOCK_ADDR.SK);
  emitStorage(assembler, maps.storageFd, R8, done);
  emitRefresh(assembler, maps);
  assembler.load('DW', R8, R6, SOCK_ADDR.SK);
  emitDevice(assembler, R8);
  assembler.label(done);
  emitAllow(assembler);
  return assembler.assemble().instructions;
}

/** sendmsg without a connection: the socket got a port, if it had none. */
export function sendProgram(maps: TrackerMaps): readonly Instruction[] {
  const assembler = new Assembler();
  const done = assembler.newLabel('done');
  emitStart(assembler);
  assembler.load('DW', R8, R6, SOCK_ADDR.SK);
  emitStorage(assembler, maps.storageFd, R8, done);
  emitRefresh(assembler, maps);
  assembler.load('DW', R8, R6, SOCK_ADDR.SK);
  assembler.load('W', R1, R8, SOCK.STATE);
  assembler.jumpIf('JEQ', R1, TCP_STATE.ESTABLISHED, done);
  assembler.load('W', R1, R8, SOCK.SRC_PORT);
  assembler.load('W', R2, R7, SOCKET_RECORD.BOUND + BOUND_KEY.PORT);
  assembler.jumpIfRegister('JEQ', R1, R2, done);
  assembler.load('W', R1, R7, SOCKET_RECORD.PROTOCOL);
  assembler.jumpIf('JNE', R1, IPPROTO.UDP, done);
  emitUnbind(assembler, maps.boundFd);
  emitLocal(assembler, R8, SOCK.FAMILY);
  emitDevice(assembler, R8);
  emitBind(assembler, maps.boundFd);
  assembler.label(done);
  emitAllow(assembler);
  return assembler.assemble().instructions;
}

/** connect: where to. From then on only packets from there are the socket's. */
export function connectProgram(maps: TrackerMaps, family: Version): readonly Instruction[] {
  const assembler = new Assembler();
  const done = assembler.newLabel('done');
  emitStart(assembler);
  assembler.load('DW', R8, R6, SOCK_ADDR.SK);
  emitStorage(assembler, maps.storageFd, R8, done);
  emitRefresh(assembler, maps);
  const place = {
    base: R6,
    family,
    ip4: SOCK_ADDR.USER_IP4,
    ip6: SOCK_ADDR.USER_IP6,
  };
  emitAddress(assembler, place, SOCKET_RECORD.REMOTE_ADDRESS);
  assembler.load('W', R1, R6, SOCK_ADDR.USER_PORT);
  assembler.swapBigEndian(R1, 16);
  assembler.store('H', R7, SOCKET_RECORD.REMOTE_PORT, R1);
  emitSetFlags(assembler, SOCKET_FLAGS.CONNECTED);
  emitUnbind(assembler, maps.boundFd);
  // One that failed to connect before was forgotten.
  emitPublish(assembler, maps);
  assembler.label(done);
  emitAllow(assembler);
  return assembler.assemble().instructions;
}

/** TCP: connections that begin and end, sockets that listen. */
export function tcpProgram(maps: TrackerMaps): readonly Instruction[] {
  const assembler = new Assembler();
  const done = assembler.newLabel('done');
  const known = assembler.newLabel('known');
  const state = assembler.newLabel('state');
  emitStart(assembler);
  assembler.load('W', R9, R6, SOCK_OPS.OP);
  for (const op of Object.values(SOCK_OPS_OP)) assembler.jumpIf('JEQ', R9, op, known);
  assembler.jump(done);
  assembler.label(known);
  assembler.load('DW', R8, R6, SOCK_OPS.SK);
  assembler.jumpIf64('JEQ', R8, 0, done);
  emitStorage(assembler, maps.storageFd, R8, done);
  assembler.jumpIf('JEQ', R9, SOCK_OPS_OP.STATE_CB, state);
  emitTcpAddresses(assembler);
  emitTcpFlags(assembler);
  emitPublish(assembler, maps);
  emitListening(assembler, maps.boundFd);
  emitStateCallbacks(assembler, R6);
  assembler.jump(done);
  assembler.label(state);
  emitTcpEnd(assembler, maps, done);
  assembler.label(done);
  emitAllow(assembler);
  return assembler.assemble().instructions;
}

/** The last descriptor is closed. A TCP connection goes on until both sides have ended it. */
export function releaseProgram(maps: TrackerMaps): readonly Instruction[] {
  const assembler = new Assembler();
  const done = assembler.newLabel('done');
  const ended = assembler.newLabel('ended');
  emitStart(assembler);
  emitStorage(assembler, maps.storageFd, R6, done);
  assembler.load('W', R1, R6, SOCK.PROTOCOL);
  assembler.jumpIf('JNE', R1, IPPROTO.TCP, ended);
  assembler.load('W', R1, R6, SOCK.STATE);
  assembler.jumpIf('JEQ', R1, TCP_STATE.CLOSE, ended);
  assembler.jumpIf('JEQ', R1, TCP_STATE.LISTEN, ended);
  assembler.comment('of a socket that was there before nobody else tells the end');
  assembler.load('W', R1, R7, SOCKET_RECORD.FLAGS);
  assembler.alu('AND', R1, SOCKET_FLAGS.BACKFILLED);
  assembler.jumpIf('JEQ', R1, 0, done);
  emitClosed(assembler, maps);
  assembler.jump(done);
  assembler.label(ended);
  emitUnbind(assembler, maps.boundFd);
  emitClosed(assembler, maps);
  emitForget(assembler, maps.ownersFd);
  assembler.label(done);
  emitAllow(assembler);
  return assembler.assemble().instructions;
}

/** The socket's cookie, namespace and family. */
function emitIdentity(assembler: Assembler, family: number): void {
  assembler.move(R1, R6);
  assembler.call('get_socket_cookie');
  assembler.store('DW', R7, SOCKET_RECORD.COOKIE, R0);
  assembler.move(R1, R6);
  assembler.call('get_netns_cookie');
  assembler.store('DW', R7, SOCKET_RECORD.NETNS_COOKIE, R0);
  assembler.load('W', R1, R6, family);
  assembler.store('W', R7, SOCKET_RECORD.FAMILY, R1);
}

function emitTcpAddresses(assembler: Assembler): void {
  const { FAMILY, LOCAL_IP4, LOCAL_IP6, REMOTE_IP4, REMOTE_IP6 } = SOCK_OPS;
  const local = { base: R6, family: FAMILY, ip4: LOCAL_IP4, ip6: LOCAL_IP6 };
  const remote = { base: R6, family: FAMILY, ip4: REMOTE_IP4, ip6: REMOTE_IP6 };
  emitAddress(assembler, local, SOCKET_RECORD.LOCAL_ADDRESS);
  emitAddress(assembler, remote, SOCKET_RECORD.REMOTE_ADDRESS);
  assembler.load('W', R1, R6, SOCK_OPS.LOCAL_PORT);
  assembler.store('H', R7, SOCKET_RECORD.LOCAL_PORT, R1);
  assembler.load('W', R1, R6, SOCK_OPS.REMOTE_PORT);
  assembler.swapBigEndian(R1, 32);
  assembler.store('H', R7, SOCKET_RECORD.REMOTE_PORT, R1);
}

/** What became of the socket, by the operation in r9. */
function emitTcpFlags(assembler: Assembler): void {
  const active = assembler.newLabel('active');
  const passive = assembler.newLabel('passive');
  const listen = assembler.newLabel('listen');
  const done = assembler.newLabel();
  assembler.jumpIf('JEQ', R9, SOCK_OPS_OP.TCP_CONNECT_CB, done);
  assembler.jumpIf('JEQ', R9, SOCK_OPS_OP.TCP_LISTEN_CB, listen);
  assembler.call('ktime_get_ns');
  assembler.store('DW', R7, SOCKET_RECORD.ESTABLISHED, R0);
  assembler.jumpIf('JEQ', R9, SOCK_OPS_OP.PASSIVE_ESTABLISHED_CB, passive);
  assembler.label(active);
  emitSetFlags(assembler, SOCKET_FLAGS.ESTABLISHED);
  assembler.jump(done);
  assembler.label(passive);
  emitInherited(assembler);
  assembler.jump(active);
  assembler.label(listen);
  emitSetFlags(assembler, SOCKET_FLAGS.LISTENING);
  assembler.label(done);
}

/** The record is a copy of the listening socket's: now it becomes that of the connection. */
function emitInherited(assembler: Assembler): void {
  assembler.load('DW', R1, R7, SOCKET_RECORD.ESTABLISHED);
  assembler.store('DW', R7, SOCKET_RECORD.CREATED, R1);
  assembler.store('DW', R7, SOCKET_RECORD.OWNER_SINCE, R1);
  assembler.load('DW', R1, R7, SOCKET_RECORD.COOKIE);
  assembler.store('DW', R7, SOCKET_RECORD.PARENT_COOKIE, R1);
  emitIdentity(assembler, SOCK_OPS.FAMILY);
  assembler.storeImmediate('DW', R7, SOCKET_RECORD.CLOSED, 0);
  assembler.storeImmediate('W', R7, SOCKET_RECORD.BOUND + BOUND_KEY.PORT, 0);
  assembler.storeImmediate(
    'W',
    R7,
    SOCKET_RECORD.FLAGS,
    SOCKET_FLAGS.ACCEPTED | SOCKET_FLAGS.LIKELY,
  );
}

/** For a socket that begins to listen: packets to its address are its own. The socket is in r8. */
function emitListening(assembler: Assembler, boundFd: number): void {
  const other = assembler.newLabel();
  assembler.jumpIf('JNE', R9, SOCK_OPS_OP.TCP_LISTEN_CB, other);
  emitUnbind(assembler, boundFd);
  emitDevice(assembler, R8);
  emitBind(assembler, boundFd);
  assembler.label(other);
}

/** A connection ended, or a socket listens no more. */
function emitTcpEnd(assembler: Assembler, maps: TrackerMaps, done: Label): void {
  assembler.load('W', R1, R6, SOCK_OPS.ARGS + 4);
  assembler.jumpIf('JNE', R1, TCP_STATE.CLOSE, done);
  assembler.comment(
    "a connection that was never established has a copy of its listening socket's record",
  );
  assembler.move(R1, R6);
  assembler.call('get_socket_cookie');
  assembler.load('DW', R1, R7, SOCKET_RECORD.COOKIE);
  assembler.aluRegister('XOR', R0, R1, 64);
  assembler.jumpIf64('JNE', R0, 0, done);
  emitUnbind(assembler, maps.boundFd);
  emitClosed(assembler, maps);
  emitForget(assembler, maps.ownersFd);
}

/** Says when a connection ended: what the kernel still sends and takes of it is found by its addresses. */
function emitClosed(assembler: Assembler, maps: TrackerMaps): void {
  const never = assembler.newLabel();
  assembler.load('W', R1, R7, SOCKET_RECORD.FLAGS);
  assembler.alu('AND', R1, SOCKET_FLAGS.ESTABLISHED);
  assembler.jumpIf('JEQ', R1, 0, never);
  assembler.call('ktime_get_ns');
  assembler.store('DW', R7, SOCKET_RECORD.CLOSED, R0);
  emitUpdate(assembler, maps.connectionsFd, SOCKET_RECORD.NETNS_COOKIE);
  assembler.label(never);
}

/** The local address and port of the socket that `socket` points to. */
function emitLocal(assembler: Assembler, socket: Register, family: number | Version): void {
  const place = { base: socket, family, ip4: SOCK.SRC_IP4, ip6: SOCK.SRC_IP6 };
  emitAddress(assembler, place, SOCKET_RECORD.LOCAL_ADDRESS);
  assembler.load('W', R1, socket, SOCK.SRC_PORT);
  assembler.store('H', R7, SOCKET_RECORD.LOCAL_PORT, R1);
}
