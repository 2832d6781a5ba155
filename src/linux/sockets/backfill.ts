/**
 * Records of the sockets that were there before the tracker.
 *
 * Each is borrowed from its process for some microseconds (pidfd_getfd, Linux 5.6). When its process
 * closes it in just that time, it ends when it is given back. What a program in the kernel noted
 * meanwhile stays: it knows better.
 *
 * @module
 */
import { PROCESS_RECORD } from '../../packet/event-layout.ts';
import { IPPROTO } from '../../packet/layout.ts';
import type { BpfMap } from '../bpf/map.ts';
import { libc } from '../sys/libc.ts';
import { cString } from '../sys/memory.ts';
import { NAME_VALUE } from './maps.ts';
import { ProcNet } from './proc-net.ts';
import { type ProcSocket, ProcSockets } from './proc-sockets.ts';
import { SocketInspector } from './socket-inspector.ts';
import {
  BOUND_KEY,
  BOUND_VALUE,
  OWNER_BYTES,
  SOCKET_FLAGS,
  SOCKET_RECORD,
} from './socket-record.ts';

/** How long the event loop may be held up at a time. */
const SLICE_MS = 8;

/** The extended attribute that says what a socket speaks (net/socket.c): `TCPv6`, `NETLINK`, ... */
const PROTOCOL_NAME = cString('system.sockprotoname');
const INTERNET_PROTOCOL = /^(?:TCP|MPTCP|UDP|PING|RAW)/;

const protocolName = new Uint8Array(64);

/**
 * Whether it is worth borrowing. All others are left alone: somebody else's queue, closed while it is
 * borrowed, would live on for that time.
 */
function isInternetSocket(pid: number, fd: number): boolean {
  const path = cString(`/proc/${pid}/fd/${fd}`);
  const length = libc.getxattr(path, PROTOCOL_NAME, protocolName, protocolName.length);
  if (length <= 0) return false;
  // The name's NUL is counted.
  return INTERNET_PROTOCOL.test(String.fromCharCode(...protocolName.subarray(0, length - 1)));
}

/** Maps to fill. */
export interface BackfillMaps {
  readonly storage: BpfMap;
  readonly owners: BpfMap;
  readonly names: BpfMap;
  readonly bound: BpfMap;
  readonly connections: BpfMap;
}

/**
 * Finds the sockets of all processes and makes records of them, a little at a time.
 *
 * @param isWanted asked before each piece of work; once false, the rest is left out
 * @returns how many records were made
 */
export async function backfill(maps: BackfillMaps, isWanted: () => boolean): Promise<number> {
  const filler = new Filler(maps);
  try {
    let sliceEndMs = performance.now() + SLICE_MS;
    for (const _ of filler.work()) {
      if (performance.now() < sliceEndMs) continue;
      // Between slices it holds nothing: whoever closes now leaves no descriptor.
      filler.close();
      await new Promise((resolve) => setImmediate(resolve));
      if (!isWanted()) break;
      sliceEndMs = performance.now() + SLICE_MS;
    }
  } catch {
    // Without /proc there is nothing to find.
  } finally {
    filler.close();
  }
  return filler.count;
}

class Filler {
  count = 0;
  readonly #maps: BackfillMaps;
  readonly #inspector = new SocketInspector();
  readonly #procNet = new ProcNet();
  readonly #storageKey = new Uint8Array(4);
  readonly #bound = new Uint8Array(BOUND_VALUE.BYTES);
  #process = { pid: 0, pidFd: -1 };

  constructor(maps: BackfillMaps) {
    this.#maps = maps;
  }

  /** Steps of some microseconds each. */
  *work(): Generator<void, void> {
    const found = new ProcSockets();
    for (const { record } of found.walk()) {
      this.#addName(record);
      yield;
    }
    for (const [inode, socket] of found.sockets) {
      this.#visit(inode, socket);
      yield;
    }
  }

  close(): void {
    if (this.#process.pidFd >= 0) libc.close(this.#process.pidFd);
    this.#process = { pid: 0, pidFd: -1 };
  }

  #addName(record: Uint8Array): void {
    const value = new Uint8Array(NAME_VALUE.BYTES);
    value.set(record.subarray(PROCESS_RECORD.NAME, PROCESS_RECORD.BYTES), NAME_VALUE.NAME);
    this.#maps.names.add(record.subarray(0, PROCESS_RECORD.USER_ID), value);
  }

  #visit(inode: string, socket: ProcSocket): void {
    const { pid } = socket.process;
    if (this.#process.pid !== pid) {
      this.close();
      this.#process = { pid, pidFd: libc.pidfd_open(pid, 0) };
    }
    if (this.#process.pidFd < 0 || !isInternetSocket(pid, socket.fd)) return;
    const fd = libc.pidfd_getfd(this.#process.pidFd, socket.fd, 0);
    if (fd < 0) return;
    try {
      const record = this.#inspector.inspect(fd, this.#procNet.find(pid, inode));
      if (record !== null) this.#addRecord(fd, record, socket);
    } catch {
      // The process ended in the meantime, or a map is full: a socket without a record is nobody's.
    } finally {
      libc.close(fd);
    }
  }

  #addRecord(fd: number, record: Uint8Array, { process, isShared }: ProcSocket): void {
    const view = new DataView(record.buffer, record.byteOffset);
    record.set(process.record, SOCKET_RECORD.PROCESS);
    const flags = view.getUint32(SOCKET_RECORD.FLAGS, true);
    const likely = isShared ? SOCKET_FLAGS.LIKELY : 0;
    view.setUint32(SOCKET_RECORD.FLAGS, flags | SOCKET_FLAGS.BACKFILLED | likely, true);
    const isBound = takesStrangers(view);
    if (isBound) writeBoundKey(record, view);
    new DataView(this.#storageKey.buffer).setInt32(0, fd, true);
    if (!this.#maps.storage.add(this.#storageKey, record)) return;
    const cookie = record.subarray(SOCKET_RECORD.COOKIE, SOCKET_RECORD.COOKIE + 8);
    const owner = record.subarray(0, OWNER_BYTES);
    this.#maps.owners.add(cookie, owner);
    if ((flags & SOCKET_FLAGS.ESTABLISHED) !== 0) {
      const key = record.subarray(SOCKET_RECORD.NETNS_COOKIE, SOCKET_RECORD.CREATED);
      this.#maps.connections.add(key, owner);
    }
    if (isBound) this.#addBound(record);
    this.count++;
  }

  /** As `emitBind` does it. */
  #addBound(record: Uint8Array): void {
    const { bound } = this.#maps;
    const key = record.subarray(SOCKET_RECORD.BOUND, SOCKET_RECORD.BOUND + BOUND_KEY.BYTES);
    const view = new DataView(this.#bound.buffer);
    this.#bound.set(record.subarray(0, OWNER_BYTES));
    view.setUint32(BOUND_VALUE.SOCKETS, 1, true);
    const flags = record[SOCKET_RECORD.FLAGS] ?? 0;
    view.setUint32(BOUND_VALUE.MIXED, flags & SOCKET_FLAGS.ON_DEVICE, true);
    if (bound.add(key, this.#bound)) return;
    const present = bound.lookup(key);
    if (present === null) return;
    this.#bound.set(present);
    const isSame = Buffer.compare(present.subarray(0, 4), record.subarray(0, 4)) === 0;
    view.setUint32(BOUND_VALUE.SOCKETS, view.getUint32(BOUND_VALUE.SOCKETS, true) + 1, true);
    if (!isSame) view.setUint32(BOUND_VALUE.MIXED, 1, true);
    bound.update(key, this.#bound);
  }
}

/** Whether packets from anywhere are the socket's: it listens, or is not connected. */
function takesStrangers(view: DataView): boolean {
  const flags = view.getUint32(SOCKET_RECORD.FLAGS, true);
  if (view.getUint16(SOCKET_RECORD.LOCAL_PORT, true) === 0) return false;
  const protocol = view.getUint32(SOCKET_RECORD.PROTOCOL, true);
  if (protocol === IPPROTO.TCP) return (flags & SOCKET_FLAGS.LISTENING) !== 0;
  return protocol === IPPROTO.UDP && (flags & SOCKET_FLAGS.CONNECTED) === 0;
}

function writeBoundKey(record: Uint8Array, view: DataView): void {
  const { BOUND, NETNS_COOKIE, LOCAL_PORT, PROTOCOL } = SOCKET_RECORD;
  record.copyWithin(BOUND, NETNS_COOKIE, NETNS_COOKIE + BOUND_KEY.PORT);
  view.setUint32(BOUND + BOUND_KEY.PORT, view.getUint16(LOCAL_PORT, true), true);
  view.setUint32(BOUND + BOUND_KEY.PROTOCOL, view.getUint32(PROTOCOL, true), true);
}
