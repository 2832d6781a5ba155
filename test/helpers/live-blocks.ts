/**
 * Blocks of documents that need a network, run as programs of their own.
 *
 * @module
 */
import type { ChildProcess } from 'node:child_process';
import { ensureBuilt, ROOT } from './command.ts';
import { type CodeBlock, codeBlocks, writeModules } from './markdown.ts';
import type { NetworkEnd } from './namespaces.ts';

/** A running block. */
export interface RunningBlock {
  readonly child: ChildProcess;
  /** What it wrote so far, errors too. */
  output(): string;
  /** Interrupts it and waits for its end. */
  stop(): Promise<void>;
}

/** The live blocks of documents. */
export class LiveBlocks {
  readonly blocks: readonly CodeBlock[];
  readonly #modules: readonly string[];

  /**
   * @param folder below `.cache`, for the modules
   * @param documents their paths
   */
  constructor(folder: string, documents: readonly string[]) {
    ensureBuilt();
    this.blocks = documents.flatMap(codeBlocks).filter(({ run }) => run === 'live');
    this.#modules = writeModules(folder, this.blocks, '.mjs');
  }

  /**
   * Starts the only block that contains a text.
   *
   * @returns at once: what it does has to be waited for
   */
  start(end: NetworkEnd, text: string): RunningBlock {
    const found = this.blocks.flatMap(({ source }, index) =>
      source.includes(text) ? [index] : [],
    );
    const [index] = found;
    if (index === undefined || found.length > 1) {
      throw new Error(`${found.length} blocks contain ${text}`);
    }
    const child = end.spawn(process.execPath, [this.#modules[index] ?? ''], { cwd: ROOT });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (part) => {
        output += part;
      });
    }
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    return {
      child,
      output: () => output,
      async stop() {
        child.kill('SIGINT');
        await closed;
      },
    };
  }
}
