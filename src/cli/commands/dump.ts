import { UnsupportedError } from '../../errors.ts';
import { compileFilter, type Filter } from '../../filter/index.ts';
import type { NetworkHandle, Packet } from '../../index.ts';
import { EXIT } from '../exit-code.ts';
import { hexDump } from '../hex-dump.ts';
import { type Interrupt, listenForInterrupt } from '../interrupt.ts';
import { clockOffsetNs, type LiveOptions, openOptions, tellStats } from '../live.ts';
import { print, type Style, styleFor, tell } from '../output.ts';
import { formatPacketLine } from '../packet-line.ts';
import { printOffline } from '../print-offline.ts';

export interface DumpOptions extends LiveOptions {
  readonly read?: string;
  readonly hex?: boolean;
  readonly direction?: 'inbound' | 'outbound';
}

/**
 * `netdivert dump`: one line for each packet that matches, live or from a file, and a summary on
 * standard error.
 */
export async function dump(text: string, options: DumpOptions): Promise<number> {
  const filter = compileFilter(text, options.layer);
  const interrupt = listenForInterrupt();
  if (options.read === undefined) await dumpLive(filter, options, interrupt);
  else {
    const { count, direction, hex } = options;
    await printOffline(filter, {
      file: options.read,
      signal: interrupt.signal,
      ...(count !== undefined && { count }),
      ...(direction !== undefined && { direction }),
      ...(hex !== undefined && { hex }),
    });
  }
  return interrupt.finish(EXIT.OK);
}

async function dumpLive(
  filter: Filter,
  options: DumpOptions,
  { signal }: Interrupt,
): Promise<void> {
  const { handle, sniffing } = await openForWatching(filter, options, signal);
  const printer = new PacketPrinter(options.hex ?? false);
  tell(`watching ${filter.format()} (Ctrl-C ends)`);
  try {
    for await (const batch of handle.batches()) {
      for (const packet of batch) {
        if (printer.count < (options.count ?? Number.POSITIVE_INFINITY)) printer.print(packet);
      }
      if (!sniffing) batch.send();
      if (printer.count === options.count) break;
    }
  } finally {
    await handle.close();
    tell(`${printer.count} shown`);
    tellStats(handle.stats());
  }
}

/** Sniffs where that is possible; else takes the packets out, and the caller puts them back. */
async function openForWatching(
  filter: Filter,
  options: DumpOptions,
  signal: AbortSignal,
): Promise<{ handle: NetworkHandle; sniffing: boolean }> {
  const { open } = await import('../../index.ts');
  const common = { ...openOptions(options), signal };
  try {
    return { handle: await open(filter, { ...common, mode: 'sniff' }), sniffing: true };
  } catch (error) {
    if (!(error instanceof UnsupportedError) || !error.feature.includes('sniff')) throw error;
  }
  const handle = await open(filter, { ...common, onOverload: 'pass', unhandled: 'pass' });
  tell('sniffing is not available yet: each packet is taken out and put back unchanged');
  return { handle, sniffing: false };
}

class PacketPrinter {
  count = 0;
  readonly #hex: boolean;
  readonly #style: Style = styleFor(process.stdout);
  readonly #clockOffsetNs: bigint = clockOffsetNs();

  constructor(hex: boolean) {
    this.#hex = hex;
  }

  print(packet: Packet): void {
    const { bytes, address } = packet;
    const context = {
      timestampNs: address.timestamp + this.#clockOffsetNs,
      direction: address.outbound ? 'outbound' : 'inbound',
      loopback: address.loopback,
    } as const;
    print(formatPacketLine(bytes, context, this.#style));
    if (this.#hex) for (const line of hexDump(bytes)) print(line);
    this.count++;
  }
}
