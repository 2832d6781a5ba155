/**
 * Telling the reflect handles of the machine what happens to a handle of this process.
 *
 * @module
 */
import { BPF_PROG_TYPE } from '../bpf/constants.ts';
import { openProgramById, readProgramInfo } from '../bpf/object-ids.ts';
import { libc } from '../sys/libc.ts';
import type { HandleRecord } from './handle-record.ts';
import { ignoreUnseen, MapWalk, readMap, WATCH_PREFIX } from './map-walk.ts';
import { publishRecord } from './publish-program.ts';

/** A reflect handle's filter can be swapped between finding its program and opening it; files can be too many. */
const MAX_TRIES = 8;

/** Knows the reflect handles by the numbers of their maps; holds none of them open. */
export class Publisher {
  readonly #walk = new MapWalk(WATCH_PREFIX);
  readonly #watches = new Set<number>();

  /**
   * Looks for reflect handles that were opened since the last call. Without CAP_SYS_ADMIN none are found.
   *
   * @returns their numbers
   */
  findNew(): readonly number[] {
    const found: number[] = [];
    this.#walk.walk((id) => found.push(id), ignoreUnseen);
    for (const id of found) this.#watches.add(id);
    return found;
  }

  /** Tells all reflect handles. Whom it cannot tell finds out: a handle has a map for as long as it is open. */
  publish(record: HandleRecord): void {
    this.findNew();
    this.publishTo(this.#watches, record);
  }

  /** Tells some reflect handles. */
  publishTo(watches: Iterable<number>, record: HandleRecord): void {
    for (const id of watches) this.#publishTo(id, record);
  }

  /** @param id of a map created just now */
  noteNewest(id: number): void {
    this.#walk.noteNewest(id);
  }

  #publishTo(watch: number, record: HandleRecord): void {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      try {
        if (this.#tryPublish(watch, record)) return;
      } catch {
        // Perhaps there is a descriptor, or memory, the next time.
      }
    }
  }

  /** @returns whether it is done, or nothing is to be done */
  #tryPublish(watch: number, record: HandleRecord): boolean {
    const programId = readProgramId(watch);
    if (programId === null) this.#watches.delete(watch);
    // A reflect handle that is not ready yet will find the handle by itself.
    if (!programId) return true;
    const fd = openProgramById(programId);
    if (fd === null) return false;
    try {
      return !isTrusted(fd) || publishRecord(fd, record);
    } finally {
      libc.close(fd);
    }
  }
}

/** @returns 0 when it is not set yet, null when the reflect handle is gone */
function readProgramId(watch: number): number | null {
  const value = readMap(watch, WATCH_PREFIX);
  if (!value) return null;
  return new DataView(value.buffer, value.byteOffset).getUint32(0, true);
}

/** Such programs act with the rights of who runs them: others' than root's and one's own are not run. */
function isTrusted(fd: number): boolean {
  const { type, createdByUid } = readProgramInfo(fd);
  const isKnown = createdByUid === 0 || createdByUid === process.geteuid?.();
  return type === BPF_PROG_TYPE.SYSCALL && isKnown;
}
