/** Where the file goes: a web stream, or anything with `write` and `end` as Node's streams have them. */
export type CaptureSink =
  | { getWriter(): { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> } }
  | NodeSink;

type SinkEvent = 'drain' | 'error' | 'close';

interface NodeSink {
  write(bytes: Uint8Array): unknown;
  end?(callback: (error?: unknown) => void): unknown;
  once?(event: SinkEvent, listener: (error?: unknown) => void): unknown;
  off?(event: SinkEvent, listener: (error?: unknown) => void): unknown;
}

/** Takes chunks one after the other. @internal */
export interface OpenSink {
  /** Resolves when it takes more. */
  write(bytes: Uint8Array): Promise<void>;
  /** Resolves when all is written. */
  close(): Promise<void>;
}

/** Begins to write. @internal */
export function openSink(sink: CaptureSink): OpenSink {
  return 'getWriter' in sink ? sink.getWriter() : new NodeSinkWriter(sink);
}

class NodeSinkWriter implements OpenSink {
  readonly #sink: NodeSink;
  #failure: { readonly error: unknown } | null = null;

  constructor(sink: NodeSink) {
    this.#sink = sink;
    // A stream that breaks between two writes would end the process if nobody listened.
    sink.once?.('error', (error) => {
      this.#failure = { error };
    });
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#check();
    // Node's streams answer false when their buffer is full; others may answer a promise.
    const result = await this.#sink.write(bytes);
    if (result === false && this.#sink.once !== undefined) await this.#drained();
  }

  async close(): Promise<void> {
    this.#check();
    const sink = this.#sink;
    if (sink.end === undefined) return;
    await new Promise<void>((resolve, reject) => {
      sink.once?.('error', reject);
      sink.end?.((error) => {
        if (error) reject(this.#failure?.error ?? error);
        else resolve();
      });
    });
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error;
  }

  async #drained(): Promise<void> {
    const sink = this.#sink;
    const event = await new Promise<SinkEvent>((resolve) => {
      const events: readonly SinkEvent[] = ['drain', 'error', 'close'];
      const listeners = events.map((name) => [name, (): void => settle(name)] as const);
      const settle = (name: SinkEvent): void => {
        for (const [other, listener] of listeners) sink.off?.(other, listener);
        resolve(name);
      };
      for (const [name, listener] of listeners) sink.once?.(name, listener);
    });
    this.#check();
    if (event === 'close') throw new Error('The stream was closed before the file was complete.');
  }
}
