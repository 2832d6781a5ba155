/**
 * Keeps a record of every socket of this machine, in the kernel, for as long as a handle wants it.
 *
 * @module
 */
import type { Instruction } from '../../bpf/instruction.ts';
import { SystemError } from '../../errors.ts';
import { withBtf } from '../bpf/btf.ts';
import { BPF_ATTACH_TYPE, BPF_MAP_FLAG, BPF_PROG_TYPE } from '../bpf/constants.ts';
import { attachRawTracepoint, createLink, type Link, makeLinks } from '../bpf/link.ts';
import { BpfMap } from '../bpf/map.ts';
import { loadProgram } from '../bpf/program.ts';
import { RingBuffer } from '../bpf/ringbuf.ts';
import { openRootCgroup } from '../cgroup.ts';
import { ERRNO } from '../sys/constants.ts';
import { libc } from '../sys/libc.ts';
import { backfill } from './backfill.ts';
import { NAME_VALUE, type TrackerMaps } from './maps.ts';
import { execProgram, exitProgram } from './names-programs.ts';
import {
  acceptProgram,
  bindProgram,
  boundProgram,
  connectProgram,
  createProgram,
  releaseProgram,
  sendProgram,
  tcpProgram,
  type Version,
} from './programs.ts';
import {
  BOUND_KEY,
  BOUND_VALUE,
  CONNECTION_KEY_BYTES,
  OWNER_BYTES,
  SOCKET_RECORD,
} from './socket-record.ts';

/** As `bpftool prog` and `bpftool map` show it, 15 letters at most: whose it is. */
const KERNEL_NAME = `ndivert_${process.pid}`;

/** Sockets at most; memory is used for those that are there. */
const MAX_SOCKETS = 1 << 20;
/** Processes whose names are kept; the longest unused go first. */
const MAX_PROCESSES = 1 << 14;
/** TCP connections that are found by their addresses; the longest unused go first. */
const MAX_CONNECTIONS = 1 << 15;
/** Of processes that have their first socket: 1,300. */
const EVENT_RING_BYTES = 1 << 16;

/** One for this process; it reads of all namespaces, so its users compare namespace cookies. */
export class SocketTracker {
  static #shared: SocketTracker | undefined;

  /** Whether the names of processes are followed; without CAP_PERFMON they are not. */
  readonly hasNames: boolean;
  readonly #storage: BpfMap;
  readonly #owners: BpfMap;
  readonly #names: BpfMap;
  readonly #bound: BpfMap;
  readonly #connections: BpfMap;
  readonly #events: RingBuffer;
  readonly #links: Link[];
  #users = 0;
  /** Resolves, with their number, when the sockets that were there before have records. */
  readonly settled: Promise<number>;

  /**
   * The tracker, made for its first user. Each calls {@link release} once.
   *
   * @throws {@link UnsupportedError} naming the missing capability or kernel feature
   */
  static acquire(): SocketTracker {
    SocketTracker.#shared ??= new SocketTracker();
    SocketTracker.#shared.#users++;
    return SocketTracker.#shared;
  }

  private constructor() {
    const maps: Disposable[] = [];
    const keep = <T extends Disposable>(map: T): T => {
      maps.push(map);
      return map;
    };
    try {
      this.#storage = keep(createStorage(SOCKET_RECORD.BYTES));
      this.#owners = keep(createHash(8, OWNER_BYTES, MAX_SOCKETS));
      this.#names = keep(createCache(4, NAME_VALUE.BYTES, MAX_PROCESSES));
      this.#bound = keep(createHash(BOUND_KEY.BYTES, BOUND_VALUE.BYTES, MAX_SOCKETS));
      this.#connections = keep(createCache(CONNECTION_KEY_BYTES, OWNER_BYTES, MAX_CONNECTIONS));
      this.#events = keep(new RingBuffer(KERNEL_NAME, EVENT_RING_BYTES));
      const names = attachNames(this.#names.fd);
      this.hasNames = names.length > 0;
      try {
        this.#links = [...names, ...attachSockets(this.maps)];
      } catch (error) {
        for (const link of names) link.close();
        throw error;
      }
    } catch (error) {
      for (const map of maps) map[Symbol.dispose]();
      throw error;
    }
    const backfillMaps = {
      storage: this.#storage,
      owners: this.#owners,
      names: this.#names,
      bound: this.#bound,
      connections: this.#connections,
    };
    this.settled = backfill(backfillMaps, () => this.#users > 0);
  }

  /** For programs that have a socket at hand, e.g. with `emitStorage`. */
  get maps(): TrackerMaps {
    return {
      storageFd: this.#storage.fd,
      ownersFd: this.#owners.fd,
      namesFd: this.hasNames ? this.#names.fd : null,
      boundFd: this.#bound.fd,
      connectionsFd: this.#connections.fd,
      eventsFd: this.#events.fd,
    };
  }

  /** Processes that have their first socket ({@link PROCESS_EVENT}); one reader may take them. */
  get events(): RingBuffer {
    return this.#events;
  }

  /** One user less; without any, nothing is left in the kernel. */
  release(): void {
    this.#users--;
    if (this.#users > 0) return;
    SocketTracker.#shared = undefined;
    for (const link of this.#links) link.close();
    const maps = [this.#storage, this.#owners, this.#names, this.#bound, this.#connections];
    for (const map of maps) map.close();
    this.#events.close();
  }
}

/**
 * Makes a map of socket storage: children of a listening socket get a copy of its value.
 *
 * @param valueBytes size of a value
 */
export function createStorage(valueBytes: number): BpfMap {
  return withBtf(
    valueBytes,
    (btfFd) =>
      new BpfMap({
        name: KERNEL_NAME,
        type: 'SK_STORAGE',
        keyBytes: 4,
        valueBytes,
        maxEntries: 0,
        flags: BPF_MAP_FLAG.BPF_F_NO_PREALLOC | BPF_MAP_FLAG.BPF_F_CLONE,
        btfFd,
      }),
  );
}

function createHash(keyBytes: number, valueBytes: number, maxEntries: number): BpfMap {
  const flags = BPF_MAP_FLAG.BPF_F_NO_PREALLOC;
  return new BpfMap({ name: KERNEL_NAME, type: 'HASH', keyBytes, valueBytes, maxEntries, flags });
}

/** A map that gives up what was unused for longest. */
function createCache(keyBytes: number, valueBytes: number, maxEntries: number): BpfMap {
  return new BpfMap({ name: KERNEL_NAME, type: 'LRU_HASH', keyBytes, valueBytes, maxEntries });
}

const { CGROUP_SOCK, CGROUP_SOCK_ADDR, SOCK_OPS, RAW_TRACEPOINT } = BPF_PROG_TYPE;
const ATTACH = BPF_ATTACH_TYPE;

type Make = (maps: TrackerMaps, version: Version) => readonly Instruction[];

/** What runs where. Creation is last: no record is made before everything that ends one is there. */
const HOOKS: readonly (readonly [Make, type: number, attachType: number, Version])[] = [
  [releaseProgram, CGROUP_SOCK, ATTACH.BPF_CGROUP_INET_SOCK_RELEASE, 'ipv4'],
  [tcpProgram, SOCK_OPS, ATTACH.BPF_CGROUP_SOCK_OPS, 'ipv4'],
  [bindProgram, CGROUP_SOCK_ADDR, ATTACH.BPF_CGROUP_INET4_BIND, 'ipv4'],
  [bindProgram, CGROUP_SOCK_ADDR, ATTACH.BPF_CGROUP_INET6_BIND, 'ipv6'],
  [sendProgram, CGROUP_SOCK_ADDR, ATTACH.BPF_CGROUP_UDP4_SENDMSG, 'ipv4'],
  [sendProgram, CGROUP_SOCK_ADDR, ATTACH.BPF_CGROUP_UDP6_SENDMSG, 'ipv6'],
  [acceptProgram, CGROUP_SOCK_ADDR, ATTACH.BPF_CGROUP_INET4_GETPEERNAME, 'ipv4'],
  [acceptProgram, CGROUP_SOCK_ADDR, ATTACH.BPF_CGROUP_INET6_GETPEERNAME, 'ipv6'],
  [connectProgram, CGROUP_SOCK_ADDR, ATTACH.BPF_CGROUP_INET4_CONNECT, 'ipv4'],
  [connectProgram, CGROUP_SOCK_ADDR, ATTACH.BPF_CGROUP_INET6_CONNECT, 'ipv6'],
  [boundProgram, CGROUP_SOCK, ATTACH.BPF_CGROUP_INET4_POST_BIND, 'ipv4'],
  [boundProgram, CGROUP_SOCK, ATTACH.BPF_CGROUP_INET6_POST_BIND, 'ipv6'],
  [createProgram, CGROUP_SOCK, ATTACH.BPF_CGROUP_INET_SOCK_CREATE, 'ipv4'],
];

function attachSockets(maps: TrackerMaps): Link[] {
  const cgroup = openRootCgroup();
  try {
    return makeLinks((keep) => {
      for (const [make, type, attachType, version] of HOOKS) {
        const options = { name: KERNEL_NAME, type, attachType };
        using program = loadProgram(make(maps, version), options);
        keep(createLink(program, cgroup, attachType));
      }
    });
  } finally {
    libc.close(cgroup);
  }
}

/** Tracepoints need CAP_PERFMON: without it names are those that threads have. */
function attachNames(namesFd: number): Link[] {
  try {
    return makeLinks((keep) => {
      const programs = [
        ['sched_process_exit', exitProgram(namesFd)],
        ['sched_process_exec', execProgram(namesFd)],
      ] as const;
      for (const [tracepoint, instructions] of programs) {
        using program = loadProgram(instructions, { name: KERNEL_NAME, type: RAW_TRACEPOINT });
        keep(attachRawTracepoint(program, tracepoint));
      }
    });
  } catch (error) {
    // Handles that are opened later share this: they would go without names for what was short now.
    if (isShortage(error)) throw error;
    return [];
  }
}

function isShortage(error: unknown): boolean {
  if (!(error instanceof SystemError)) return false;
  const { EMFILE, ENFILE, ENOMEM } = ERRNO;
  return error.errno === EMFILE || error.errno === ENFILE || error.errno === ENOMEM;
}
