import { compileFilter, type Filter } from '../../filter/index.ts';
import type { Layer } from '../../packet/address.ts';
import { PacketScan, scanPacket } from '../../packet/layout.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { parseHex } from '../hex-dump.ts';
import { listenForInterrupt } from '../interrupt.ts';
import { offlineAddress } from '../offline.ts';
import { print } from '../output.ts';
import { printOffline } from '../print-offline.ts';

export interface EvalOptions {
  readonly layer: Layer;
  readonly packet?: string;
  readonly read?: string;
  readonly direction?: 'inbound' | 'outbound';
  readonly loopback?: boolean;
  readonly impostor?: boolean;
  readonly interface?: number;
}

/**
 * `netdivert filter eval`: `true` or `false` for one packet, or the matching packets of a file.
 *
 * @throws {@link FilterError} when the filter is not valid
 * @throws UsageError when there is nothing to ask about
 */
export async function filterEval(text: string, options: EvalOptions): Promise<number> {
  const filter = compileFilter(text, options.layer);
  if (options.packet !== undefined) {
    print(String(matches(filter, options.packet, options)));
    return EXIT.OK;
  }
  if (options.read === undefined) {
    throw new UsageError('give a packet (--packet) or a capture file (--read)');
  }
  const interrupt = listenForInterrupt();
  const { direction, read: file } = options;
  await printOffline(filter, { file, ...(direction && { direction }), signal: interrupt.signal });
  return interrupt.finish(EXIT.OK);
}

function matches(filter: Filter, packet: string, options: EvalOptions): boolean {
  const bytes = parseHex(packet);
  if (bytes === null) throw new UsageError('--packet is not a sequence of hexadecimal bytes');
  if (!scanPacket(bytes, 0, bytes.length, new PacketScan())) {
    throw new UsageError('--packet has no valid IP header; it starts with the IP header');
  }
  return filter.matches(
    bytes,
    offlineAddress(filter, bytes, {
      outbound: options.direction !== 'inbound',
      loopback: options.loopback ?? false,
      impostor: options.impostor ?? false,
      interfaceIndex: options.interface ?? 0,
    }),
  );
}
