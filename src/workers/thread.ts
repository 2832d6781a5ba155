/**
 * A worker thread as the main thread sees it.
 *
 * @module
 */
import {
  MessageChannel,
  type MessagePort,
  receiveMessageOnPort,
  Worker,
} from 'node:worker_threads';
import type { Stats } from '../divert/stats.ts';
import { type Command, type Report, restoreError, type WorkerStart } from './messages.ts';

/**
 * The same file from the sources, the library and the bundled command, all two folders down. It shares its files with
 * the library that the user's module imports.
 */
const ENTRY = new URL('../../dist/lib/thread-main.js', import.meta.url);
/** How long the user's function may take to end when its handle was closed. */
const END_TIMEOUT_MS = 5000;

/** What a thread tells the handle it works for. */
export interface ThreadListener {
  loaded(): void;
  /** Its handle was shut down in the thread. */
  detached(): void;
  /** The user's function returned. */
  returned(): void;
  failed(error: unknown): void;
  /** It does not end by itself: it is about to be stopped, and must not be woken by packets then. */
  late(): void;
}

interface Answer {
  readonly resolve: (stats: Stats | null) => void;
  readonly reject: (error: unknown) => void;
}

export class Thread {
  readonly #worker: Worker;
  readonly #port: MessagePort;
  readonly #listener: ThreadListener;
  readonly #answers = new Map<number, Answer>();
  readonly #exited: Promise<void>;
  /** It may be stopped: before that, koffi is being loaded, which cannot be broken off. */
  readonly #ready: Promise<void>;
  #onReady: () => void = () => {};
  #requests = 0;
  #isRunning = true;
  #isEnding = false;
  #stats: Stats | null = null;

  constructor(start: Omit<WorkerStart, 'port'>, listener: ThreadListener) {
    this.#listener = listener;
    this.#ready = new Promise((resolve) => {
      this.#onReady = resolve;
    });
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.on('message', this.#onReport);
    this.#worker = new Worker(ENTRY, {
      name: `netdivert ${start.index + 1}/${start.workers}`,
      workerData: { ...start, port: port2 } satisfies WorkerStart,
      ...(isGivenAsText() ? { execArgv: [] } : {}),
      transferList: [port2],
    });
    this.#worker.on('error', (error) => listener.failed(error));
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (code) => {
        this.#onExit(code);
        resolve();
      });
    });
  }

  /** The last counters it told; null: none yet. */
  get stats(): Stats | null {
    return this.#stats;
  }

  /** Resolves when the thread did it, or is gone. */
  async ask(command: Command): Promise<void> {
    if (!this.#isRunning) return;
    const id = ++this.#requests;
    this.#stats =
      (await new Promise<Stats | null>((resolve, reject) => {
        this.#answers.set(id, { resolve, reject });
        this.#port.postMessage({ id, command });
      })) ?? this.#stats;
  }

  /** Closes its handle, waits for the user's function, and ends the thread. Never rejects. */
  async end(): Promise<void> {
    this.#isEnding = true;
    const timeout = new AbortController();
    const closed = this.ask({ type: 'close' }).catch(this.#listener.failed);
    const late = timeoutAfter(END_TIMEOUT_MS, timeout.signal).then(this.#listener.late);
    await Promise.race([closed, late]);
    timeout.abort();
    await this.kill();
  }

  /** Ends the thread where it stands. */
  async kill(): Promise<void> {
    this.#isEnding = true;
    await Promise.race([this.#ready, this.#exited]);
    await this.#worker.terminate();
    await this.#exited;
  }

  readonly #onReport = (report: Report): void => {
    switch (report.type) {
      case 'ready':
        this.#onReady();
        return;
      case 'answer':
        this.#take(report.id)?.resolve(report.stats);
        return;
      case 'refused':
        this.#take(report.id)?.reject(restoreError(report.error));
        return;
      case 'failed':
        this.#listener.failed(restoreError(report.error));
        return;
      default:
        this.#listener[report.type]();
    }
  };

  #take(id: number): Answer | undefined {
    const answer = this.#answers.get(id);
    this.#answers.delete(id);
    return answer;
  }

  #onExit(code: number): void {
    this.#isRunning = false;
    // What it said last may not have been delivered.
    for (
      let last = receiveMessageOnPort(this.#port);
      last;
      last = receiveMessageOnPort(this.#port)
    ) {
      this.#onReport(last.message);
    }
    this.#port.close();
    if (!this.#isEnding) this.#listener.failed(new Error(`The thread exited with code ${code}.`));
    for (const { resolve } of this.#answers.values()) resolve(null);
    this.#answers.clear();
  }
}

/** Whether the main program is text of the command line: Node passes that option on to threads, which fail by it. */
function isGivenAsText(): boolean {
  return process.execArgv.some((argument) => argument.startsWith('--input-type'));
}

function timeoutAfter(timeMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, timeMs);
    signal.addEventListener('abort', () => clearTimeout(timer));
  });
}
