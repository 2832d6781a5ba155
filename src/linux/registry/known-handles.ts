/**
 * What a reflect handle knows of the handles of others.
 *
 * @module
 */
import { handleIdOf, processIdOf, viewOf } from './handle-record.ts';

/** An open handle. */
export interface KnownHandle {
  readonly handleId: number;
  readonly processId: number;
  /** Of the map that says it is open. */
  readonly mapId: number;
  readonly record: Uint8Array;
}

/** Closed handles that are remembered. Who closed one may say so late, when its map is long gone. */
const MAX_CLOSED = 4096;

/** The handles that are open, each known once, from whichever of two sources says so first. */
export class KnownHandles {
  readonly #handles = new Map<number, KnownHandle>();
  /** Reported as closed since the maps were last looked through: theirs may have been among them. */
  readonly #ended = new Set<number>();
  /** Reported as closed lately, the oldest in front. */
  readonly #closed = new Set<number>();
  /** Where `next` goes on. */
  #round: Iterator<KnownHandle> = this.#handles.values();

  /**
   * A handle is open.
   *
   * @param record kept
   * @returns whether that is news
   */
  open(mapId: number, record: Uint8Array): boolean {
    const view = viewOf(record);
    const handleId = handleIdOf(view);
    if (this.#ended.has(handleId)) return false;
    const isNew = !this.#handles.has(handleId);
    this.#closed.delete(handleId);
    this.#handles.set(handleId, { handleId, processId: processIdOf(view), mapId, record });
    return isNew;
  }

  has(handleId: number): boolean {
    return this.#handles.has(handleId);
  }

  /** Whether it is known that this handle was open, and is no more. */
  wasClosed(handleId: number): boolean {
    return this.#closed.has(handleId);
  }

  /**
   * A handle is closed.
   *
   * @returns the handle, undefined when that is no news
   */
  close(handleId: number): KnownHandle | undefined {
    const handle = this.#handles.get(handleId);
    this.#ended.add(handleId);
    this.#closed.add(handleId);
    for (const oldest of this.#closed) {
      if (this.#closed.size <= MAX_CLOSED) break;
      this.#closed.delete(oldest);
    }
    this.#handles.delete(handleId);
    return handle;
  }

  /** All maps up to the newest were looked at. */
  forgetEnded(): void {
    this.#ended.clear();
  }

  /** The handles of a process. */
  ofProcess(processId: number): KnownHandle[] {
    return [...this.#handles.values()].filter((handle) => handle.processId === processId);
  }

  hasProcess(processId: number): boolean {
    for (const handle of this.#handles.values()) {
      if (handle.processId === processId) return true;
    }
    return false;
  }

  /** The next `count` handles, all of them in turn. */
  next(count: number): KnownHandle[] {
    const handles: KnownHandle[] = [];
    const limit = Math.min(count, this.#handles.size);
    while (handles.length < limit) {
      const { done, value } = this.#round.next();
      if (done) this.#round = this.#handles.values();
      else handles.push(value);
    }
    return handles;
  }

  /** Those of `handles` that are still known, by the same map. */
  stillKnown(handles: readonly KnownHandle[]): KnownHandle[] {
    return handles.filter(({ handleId, mapId }) => this.#handles.get(handleId)?.mapId === mapId);
  }
}
