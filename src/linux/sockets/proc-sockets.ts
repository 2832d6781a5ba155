/**
 * Which processes have which sockets, as /proc tells it.
 *
 * @module
 */
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { PROCESS_RECORD } from '../../packet/event-layout.ts';
import { findCgroupMount } from '../cgroup.ts';

/** A process as its record in the kernel has it. */
export interface ProcProcess {
  readonly pid: number;
  /** A `PROCESS_RECORD`. */
  readonly record: Uint8Array;
}

/** A socket and who has it. */
export interface ProcSocket {
  readonly process: ProcProcess;
  readonly fd: number;
  /** Other processes have it too. */
  isShared: boolean;
}

const SOCKET_LINK = 'socket:[';

/** Walks through /proc in steps, so that others get their turn. */
export class ProcSockets {
  /** By inode; the process with the lowest id is the one that counts. */
  readonly sockets: Map<string, ProcSocket> = new Map();
  readonly #cgroupMount: string | null = findCgroupMount();
  readonly #cgroupIds = new Map<string, bigint>();

  /** Visits every process; each step is one. */
  *walk(): Generator<ProcProcess, void> {
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
    for (const pid of pids.map(Number).sort((a, b) => a - b)) {
      const process = this.#visit(pid);
      if (process !== null) yield process;
    }
  }

  #visit(pid: number): ProcProcess | null {
    const folder = `/proc/${pid}`;
    try {
      const process = { pid, record: this.#record(pid) };
      for (const fd of readdirSync(`${folder}/fd`)) this.#note(process, folder, fd);
      return process;
    } catch {
      // It ended, or belongs to somebody whose descriptors may not be seen.
      return null;
    }
  }

  #note(process: ProcProcess, folder: string, fd: string): void {
    const link = readLink(`${folder}/fd/${fd}`);
    if (!link?.startsWith(SOCKET_LINK)) return;
    const inode = link.slice(SOCKET_LINK.length, -1);
    const known = this.sockets.get(inode);
    if (known === undefined) {
      this.sockets.set(inode, { process, fd: Number(fd), isShared: false });
    } else if (known.process !== process) {
      known.isShared = true;
    }
  }

  #record(pid: number): Uint8Array {
    const record = new Uint8Array(PROCESS_RECORD.BYTES);
    const view = new DataView(record.buffer);
    view.setUint32(PROCESS_RECORD.PROCESS_ID, pid, true);
    view.setUint32(PROCESS_RECORD.USER_ID, readUserId(pid), true);
    view.setBigUint64(PROCESS_RECORD.CGROUP_ID, this.#cgroupId(pid), true);
    const name = readFileSync(`/proc/${pid}/comm`).subarray(0, -1);
    record.set(
      name.subarray(0, PROCESS_RECORD.BYTES - PROCESS_RECORD.NAME - 1),
      PROCESS_RECORD.NAME,
    );
    return record;
  }

  /** The id of a control group is the inode number of its directory; 0 where that cannot be seen. */
  #cgroupId(pid: number): bigint {
    const path = /^0::(.*)$/m.exec(readFileSync(`/proc/${pid}/cgroup`, 'utf8'))?.[1];
    if (path === undefined || this.#cgroupMount === null) return 0n;
    const known = this.#cgroupIds.get(path);
    if (known !== undefined) return known;
    const id = readInode(this.#cgroupMount + path);
    this.#cgroupIds.set(path, id);
    return id;
  }
}

/** The real user id, as programs get it. */
function readUserId(pid: number): number {
  return Number(/^Uid:\t(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0);
}

function readInode(path: string): bigint {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino ?? 0n;
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    // Closed in the meantime.
    return null;
  }
}
