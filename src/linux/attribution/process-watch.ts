/**
 * One directory of processes for all handles, kept up to date by what the tracker tells.
 *
 * @module
 */
import { PROCESS_RECORD } from '../../packet/event-layout.ts';
import { RECORD_HEADER_BYTES, recordBytes } from '../bpf/ringbuf.ts';
import { PROCESS_EVENT } from '../sockets/maps.ts';
import { SocketTracker } from '../sockets/tracker.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { type Watcher, watchReadable } from '../sys/poll.ts';
import { ProcessDirectory } from './process-directory.ts';

/** Events read in one turn: each is a handful of files in /proc. */
const EVENTS_PER_TURN = 32;

export class ProcessWatch {
  static #shared: ProcessWatch | undefined;

  readonly tracker: SocketTracker;
  readonly directory: ProcessDirectory = new ProcessDirectory();
  readonly #memory: Memory = allocate(EVENTS_PER_TURN * recordBytes(PROCESS_EVENT.BYTES));
  readonly #watcher: Watcher;
  #users = 0;

  /**
   * The watch, begun for its first user. Each calls {@link release} once.
   *
   * @throws {@link UnsupportedError} naming the missing capability or kernel feature
   */
  static acquire(): ProcessWatch {
    ProcessWatch.#shared ??= new ProcessWatch();
    ProcessWatch.#shared.#users++;
    return ProcessWatch.#shared;
  }

  private constructor() {
    this.tracker = SocketTracker.acquire();
    this.#watcher = watchReadable(this.tracker.events.fd, this.#onEvents, () => {});
  }

  release(): void {
    this.#users--;
    if (this.#users > 0) return;
    ProcessWatch.#shared = undefined;
    this.#watcher.close();
    this.tracker.release();
  }

  readonly #onEvents = (): void => {
    const { bytes, view } = this.#memory;
    const limits = { records: EVENTS_PER_TURN, offset: 0 };
    const length = this.tracker.events.take(bytes, limits, false);
    for (let at = 0; at < length; ) {
      const event = at + RECORD_HEADER_BYTES;
      const process = event + PROCESS_EVENT.PROCESS;
      this.directory.announce(
        view.getUint32(process + PROCESS_RECORD.PROCESS_ID, true),
        view.getBigUint64(process + PROCESS_RECORD.CGROUP_ID, true),
        Number(view.getBigUint64(event + PROCESS_EVENT.TIMESTAMP, true)),
      );
      at += recordBytes(view.getUint32(at, true));
    }
  };
}
