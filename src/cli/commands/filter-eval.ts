import { compileFilter, type Dialect, type Filter } from '../../filter/index.ts';
import type { Layer } from '../../packet/address.ts';
import { PacketScan, scanPacket } from '../../packet/layout.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { parseHex } from '../hex-dump.ts';
import { printJson } from '../json.ts';
import { offlineAddress } from '../offline-address.ts';
import { print } from '../output.ts';

export interface EvalOptions {
  readonly layer: Layer;
  readonly dialect?: Dialect;
  readonly packet?: string;
  readonly read?: string;
  readonly direction?: 'inbound' | 'outbound';
  readonly loopback?: boolean;
  readonly impostor?: boolean;
  readonly interface?: number;
  readonly json?: boolean;
}

/**
 * `netdivert filter eval`: `true` or `false` for one packet, or the matching packets of a file.
 *
 * @throws {@link FilterError} when the filter is not valid
 * @throws UsageError when there is nothing to ask about
 */
export async function filterEval(text: string, options: EvalOptions): Promise<number> {
  const { dialect, direction, json, layer, packet, read } = options;
  const filter = compileFilter(text, layer, { dialect });
  if (packet !== undefined) {
    const result = matches(filter, packet, options);
    if (json) printJson({ type: 'match', filter: filter.format(), matches: result });
    else print(String(result));
    return EXIT.OK;
  }
  if (read === undefined) {
    throw new UsageError('give a packet (--packet) or a capture file (--read)');
  }
  const { dump } = await import('./dump.ts');
  return await dump(text, {
    layer,
    read,
    ...(dialect && { dialect }),
    ...(direction && { direction }),
    ...(json && { json }),
  });
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
