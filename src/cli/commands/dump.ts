import type { NetworkHandle } from '../../divert/network-handle.ts';
import type { OpenOptions } from '../../divert/options.ts';
import { DivertError } from '../../errors.ts';
import type { Filter } from '../../filter/index.ts';
import type { Packet } from '../../packet/packet.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { drainAtEnd, endOf, listenForInterrupt } from '../interrupt.ts';
import { printJson } from '../json.ts';
import { newCounts, readOffline } from '../offline.ts';
import { tellOfflineCounts } from '../offline-summary.ts';
import { plural, setLineBuffered, tell } from '../output.ts';
import type { PacketContext } from '../packet-line.ts';
import { OutputList, type PacketOutput, PacketPrinter } from '../packet-output.ts';
import {
  clockOffsetNs,
  lossText,
  openPackets,
  type TrafficOptions,
  trafficFilter,
} from '../traffic.ts';

export interface DumpOptions extends TrafficOptions {
  readonly read?: string;
  readonly write?: string;
  readonly print?: boolean;
  readonly hex?: boolean;
  readonly hexText?: boolean;
  readonly snapLength?: number;
  readonly lineBuffered?: boolean;
  /** Bytes. */
  readonly fileSize?: number;
  /** Milliseconds. */
  readonly rotate?: number;
  readonly fileCount?: number;
  readonly direction?: 'inbound' | 'outbound';
}

/**
 * `netdivert dump`: one line for each packet that matches, live or from a file, or a capture file
 * of them; and a summary on standard error.
 */
export async function dump(text: string, options: DumpOptions): Promise<number> {
  if (options.lineBuffered) setLineBuffered();
  const isOffline = options.read !== undefined;
  // The process of packets in a file is what the file says, not a part of the filter.
  const filter = trafficFilter(text, isOffline ? { ...options, process: undefined } : options);
  const interrupt = listenForInterrupt();
  const output = await openOutput(options);
  if (options.read === undefined) {
    await dumpLive(filter, options, output, endOf(interrupt, options.duration));
  } else await dumpFile(filter, { ...options, file: options.read }, output, interrupt.signal);
  return interrupt.finish(EXIT.OK);
}

async function openOutput(options: DumpOptions): Promise<PacketOutput> {
  const { write: path, hex, hexText, json } = options;
  const printer = new PacketPrinter({
    json,
    hex: hexText ? 'characters' : hex ? 'plain' : undefined,
  });
  if (path === undefined) {
    if (options.fileSize ?? options.rotate ?? options.fileCount) {
      throw new UsageError('-C, -G and -W need a file to write (--write)');
    }
    return printer;
  }
  if (options.print && path === '-') throw new UsageError('standard output cannot have both');
  const { openCaptureOutput } = await import('../capture-output.ts');
  const file = await openCaptureOutput(path, options);
  return options.print ? new OutputList([printer, file]) : file;
}

async function dumpFile(
  filter: Filter,
  options: DumpOptions & { readonly file: string },
  output: PacketOutput,
  signal: AbortSignal,
): Promise<void> {
  const counts = newCounts();
  const limit = options.snapLength ?? Number.POSITIVE_INFINITY;
  let complete = false;
  try {
    for await (const packet of readOffline(filter, options, counts)) {
      if (signal.aborted) break;
      if (!packet.matches) continue;
      await output.write(packet.bytes.subarray(0, limit), packet);
      if (counts.matched === options.count) break;
    }
    complete = true;
  } finally {
    await output.close();
    const { notIp, incomplete, directionAssumed } = counts;
    if (options.json) {
      const { captured, matched } = counts;
      printSummary(options, { captured, matched, notIp, incomplete, directionAssumed });
    }
    if (complete || counts.captured > 0) tellOfflineCounts(counts, options.direction);
  }
}

async function dumpLive(
  filter: Filter,
  options: DumpOptions,
  output: PacketOutput,
  end: AbortSignal,
): Promise<void> {
  const handle = await openForWatching(filter, options);
  tell(`watching ${filter.format()} (Ctrl-C ends)`);
  const watcher = new Watcher(handle, output, options.count);
  try {
    await drainAtEnd(handle, end, () => watcher.run());
  } finally {
    const { offered, received, lost } = handle.stats();
    await output.close({ received, lost: lost.total });
    const { count } = watcher;
    if (options.json) printSummary(options, { captured: count, matched: received, offered, lost });
    tell(`${plural(count, 'packet')} captured`);
    tell(`${received} matched, of ${offered} that came by`);
    tell(lossText(lost));
  }
}

function printSummary(options: DumpOptions, fields: Readonly<Record<string, unknown>>): void {
  // Standard output has the capture file, then.
  if (options.write !== '-') printJson({ type: 'summary', command: 'dump', ...fields });
}

/** Sniffs, with the process of each packet where that can be known. */
async function openForWatching(filter: Filter, options: DumpOptions): Promise<NetworkHandle> {
  const { layer, process: spec, snapLength } = options;
  const sniff: OpenOptions = { mode: 'sniff', ...(snapLength && { snapLength }) };
  if (layer === 'forward') return await openPackets(filter, options, sniff);
  try {
    return await openPackets(filter, options, { ...sniff, attribution: true });
  } catch (error) {
    // A filter on processes needs it, and with the rest it may do without.
    if (!(error instanceof DivertError) || spec !== undefined) throw error;
    const handle = await openPackets(filter, options, sniff);
    tell(`processes are not shown: ${error.message.split('\n')[0]}`);
    return handle;
  }
}

/** Hands the packets of a handle to an output. */
class Watcher {
  /** Packets handed on. */
  count = 0;
  readonly #handle: NetworkHandle;
  readonly #output: PacketOutput;
  readonly #limit: number;
  readonly #clockOffsetNs: bigint = clockOffsetNs();

  constructor(handle: NetworkHandle, output: PacketOutput, limit = Number.POSITIVE_INFINITY) {
    this.#handle = handle;
    this.#output = output;
    this.#limit = limit;
  }

  async run(): Promise<void> {
    for await (const batch of this.#handle.batches()) {
      for (const packet of batch) {
        if (this.count >= this.#limit) return;
        this.count++;
        await this.#output.write(packet.bytes, this.#contextOf(packet));
      }
      if (this.count >= this.#limit) return;
    }
  }

  #contextOf({ address, originalLength, process }: Packet): PacketContext {
    return {
      timestampNs: address.timestamp + this.#clockOffsetNs,
      direction:
        address.layer === 'forward' ? 'forward' : address.outbound ? 'outbound' : 'inbound',
      loopback: address.loopback,
      impostor: address.impostor,
      interfaceIndex: address.interfaceIndex,
      originalLength,
      process,
    };
  }
}
