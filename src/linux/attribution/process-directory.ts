/**
 * What /proc says of processes: read when one has its first socket, so that it is known when the
 * process is gone, and again when somebody asks and it is not there.
 *
 * @module
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { uptime } from 'node:os';
import type { ProcessInfo } from '../../packet/process-info.ts';

/** Processes that are kept; the longest known go first. */
const MAX_PROCESSES = 4096;
/** /proc tells starts in hundredths of a second, counted down. */
const CLOCK_TICK_NS = 1e7;
/** A process cannot have had a socket much before it started: ticks, and two clocks. */
const START_TOLERANCE_NS = 3e7;
/** Field 22 of /proc/PID/stat is the 20th behind the name (proc_pid_stat(5)). */
const START_FIELD = 19;

/** What the kernel knows of a packet's process. */
export interface Owner {
  readonly pid: number;
  readonly userId: number;
  readonly name: string;
  readonly cgroupId: bigint;
  /** Monotonic nanoseconds: since when the socket is its. */
  readonly sinceNs: number;
  readonly isLikely: boolean;
}

interface Snapshot {
  /** Monotonic nanoseconds. */
  readonly startNs: number;
  readonly name: string | null;
  readonly executable: string | null;
  readonly commandLine: readonly string[] | null;
  readonly cgroup: string | null;
  /** The last answer, for as long as the question stays the same. */
  info: ProcessInfo | null;
}

export class ProcessDirectory {
  readonly #snapshots = new Map<number, Snapshot>();
  readonly #cgroups = new Map<bigint, string>();

  /**
   * Reads what there is of a process that has its first socket.
   *
   * @param timestampNs monotonic, when it got it
   */
  announce(pid: number, cgroupId: bigint, timestampNs: number): void {
    const snapshot = readProcess(pid) ?? gone(timestampNs);
    this.#keep(pid, snapshot);
    if (snapshot.cgroup !== null) this.#cgroups.set(cgroupId, snapshot.cgroup);
  }

  /** Everything that is known of the process behind a packet. */
  describe(owner: Owner): ProcessInfo {
    const snapshot = this.#find(owner);
    const { info } = snapshot;
    if (info !== null && isSame(info, owner)) return info;
    snapshot.info = {
      pid: owner.pid,
      name: owner.name,
      executable: snapshot.executable,
      commandLine: snapshot.commandLine,
      userId: owner.userId,
      cgroup: snapshot.cgroup ?? this.#cgroups.get(owner.cgroupId) ?? null,
      confidence: owner.isLikely ? 'likely' : 'certain',
    };
    return snapshot.info;
  }

  #find(owner: Owner): Snapshot {
    const known = this.#snapshots.get(owner.pid);
    if (known !== undefined && isOf(known, owner)) return known;
    const now = readProcess(owner.pid);
    if (now !== null && isOf(now, owner)) {
      this.#keep(owner.pid, now);
      return now;
    }
    // Its number is another process's by now, or nobody's.
    return gone(owner.sinceNs);
  }

  #keep(pid: number, snapshot: Snapshot): void {
    this.#snapshots.delete(pid);
    this.#snapshots.set(pid, snapshot);
    if (this.#snapshots.size <= MAX_PROCESSES) return;
    const oldest = this.#snapshots.keys().next();
    if (!oldest.done) this.#snapshots.delete(oldest.value);
  }
}

function isOf(snapshot: Snapshot, owner: Owner): boolean {
  return snapshot.startNs <= owner.sinceNs + START_TOLERANCE_NS;
}

function isSame(info: ProcessInfo, owner: Owner): boolean {
  return (
    info.name === owner.name &&
    info.userId === owner.userId &&
    (info.confidence === 'likely') === owner.isLikely
  );
}

function gone(startNs: number): Snapshot {
  return { startNs, name: null, executable: null, commandLine: null, cgroup: null, info: null };
}

function readProcess(pid: number): Snapshot | null {
  const stat = readText(`/proc/${pid}/stat`);
  if (stat === null) return null;
  const close = stat.lastIndexOf(')');
  const fields = stat.slice(close + 2).split(' ');
  const arguments_ = readText(`/proc/${pid}/cmdline`)?.split('\0').slice(0, -1) ?? [];
  return {
    startNs: Number(fields[START_FIELD]) * CLOCK_TICK_NS - sleptNs(),
    name: stat.slice(stat.indexOf('(') + 1, close),
    executable: readExecutable(pid),
    commandLine: arguments_.length > 0 ? arguments_ : null,
    cgroup: readCgroup(pid),
    info: null,
  };
}

/** The clock of processes' starts goes on while the machine sleeps, the monotonic one does not. */
function sleptNs(): number {
  return uptime() * 1e9 - Number(process.hrtime.bigint());
}

function readExecutable(pid: number): string | null {
  try {
    return readlinkSync(`/proc/${pid}/exe`);
  } catch {
    // A thread of the kernel, or gone.
    return null;
  }
}

/** In the unified hierarchy; null where there is none. */
function readCgroup(pid: number): string | null {
  const line = readText(`/proc/${pid}/cgroup`)?.match(/^0::(.*)$/m);
  return line?.[1] ?? null;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The process is gone, or hidden (hidepid).
    return null;
  }
}
