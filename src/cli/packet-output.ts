/**
 * Where packets that were seen go: lines, or a capture file.
 *
 * @module
 */

import { hexDump } from './hex-dump.ts';
import { printJson } from './json.ts';
import { print, type Style, styleFor } from './output.ts';
import { packetRecord } from './packet-json.ts';
import { formatPacketLine, type PacketContext } from './packet-line.ts';

/** Takes packets one after the other. */
export interface PacketOutput {
  /** Writes a packet; its bytes may be used again when the promise resolves. */
  write(bytes: Uint8Array, context: PacketContext): void | Promise<void>;
  /**
   * Resolves when all is written.
   *
   * @param counts - for files, which note them at their end
   */
  close(counts?: PacketCounts): Promise<void>;
}

/** How many packets there were, written or not. */
export interface PacketCounts {
  readonly received: number;
  readonly lost: number;
}

export interface PrintOptions {
  readonly json?: boolean | undefined;
  /** Also the bytes: in hexadecimal, or with characters beside them. */
  readonly hex?: 'plain' | 'characters' | undefined;
}

/** Prints a line for each packet. */
export class PacketPrinter implements PacketOutput {
  readonly #options: PrintOptions;
  readonly #style: Style = styleFor(process.stdout);

  constructor(options: PrintOptions) {
    this.#options = options;
  }

  write(bytes: Uint8Array, context: PacketContext): void {
    const { hex, json } = this.#options;
    if (json) {
      const record = packetRecord(bytes, context);
      const data = hex === undefined ? {} : { bytes: Buffer.from(bytes).toString('hex') };
      printJson({ ...record, ...data });
      return;
    }
    print(formatPacketLine(bytes, context, this.#style));
    if (hex !== undefined) for (const line of hexDump(bytes, hex === 'characters')) print(line);
  }

  async close(): Promise<void> {}
}

/** All of several outputs. */
export class OutputList implements PacketOutput {
  readonly #outputs: readonly PacketOutput[];

  constructor(outputs: readonly PacketOutput[]) {
    this.#outputs = outputs;
  }

  async write(bytes: Uint8Array, context: PacketContext): Promise<void> {
    for (const output of this.#outputs) await output.write(bytes, context);
  }

  async close(counts?: PacketCounts): Promise<void> {
    for (const output of this.#outputs) await output.close(counts);
  }
}
