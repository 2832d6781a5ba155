import type { CapturePacket, CaptureWriter } from '../write/write-capture.ts';

/** More are not waiting to be written before reading stops. */
const MAX_WAITING_BYTES = 512 * 1024;

/**
 * Where packets end up: takes them at any time, says when it would rather not, and remembers what broke.
 *
 * @internal
 */
export class CaptureOutput {
  readonly #writer: CaptureWriter;
  readonly #onRoom: () => void;
  readonly #onFailed: (error: unknown) => void;
  #flushedLength = 0;
  #hasFailed = false;
  /** So much waits to be written that nothing more should be read. */
  isFull = false;

  /**
   * @param onRoom told when it is not full any more
   * @param onFailed told once when it broke
   */
  constructor(writer: CaptureWriter, onRoom: () => void, onFailed: (error: unknown) => void) {
    this.#writer = writer;
    this.#onRoom = onRoom;
    this.#onFailed = onFailed;
  }

  write(packet: CapturePacket): void {
    if (this.#hasFailed) return;
    this.#writer.write(packet).catch(this.#fail);
    if (!this.isFull && this.#writer.length - this.#flushedLength > MAX_WAITING_BYTES) {
      this.isFull = true;
      void this.#makeRoom();
    }
  }

  /** Resolves when everything so far is with the sink, or never will be. */
  async drained(): Promise<void> {
    await this.#writer.flush().catch(this.#fail);
  }

  /** @throws what broke it, unless that was told before */
  async close(): Promise<void> {
    if (this.#hasFailed) return;
    await this.#writer.close();
  }

  async #makeRoom(): Promise<void> {
    const { length } = this.#writer;
    await this.drained();
    this.#flushedLength = length;
    this.isFull = false;
    this.#onRoom();
  }

  readonly #fail = (error: unknown): void => {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    this.#onFailed(error);
  };
}
