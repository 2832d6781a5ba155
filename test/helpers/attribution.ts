/**
 * Whose packets a handle says they are.
 *
 * @module
 */
import { type OpenOptions, open } from '../../src/index.ts';
import type { Packet } from '../../src/packet/packet.ts';
import type { ProcessInfo } from '../../src/packet/process-info.ts';
import type { NetworkEnd } from './namespaces.ts';

/** Both ends of a packet as the host in question sees them: `protocol local remote`; null without ports. */
function endsOf(packet: Packet): string | null {
  const { ip, ipv6, tcp, udp, address } = packet;
  const header = ip ?? ipv6;
  const ports = tcp ?? udp;
  if (!header || !ports) return null;
  const source = `${header.srcAddr} ${ports.srcPort}`;
  const destination = `${header.dstAddr} ${ports.dstPort}`;
  const [local, remote] = address.outbound ? [source, destination] : [destination, source];
  return `${tcp ? 'tcp' : 'udp'} ${local} ${remote}`;
}

/** A packet and whose it is said to be. */
export interface Seen {
  readonly ends: string | null;
  readonly outbound: boolean;
  readonly process: ProcessInfo | null;
  /** TCP: letters of the flags that are set, of SFRA. */
  readonly flags: string;
  readonly text: string;
}

/** What a handle sees while `act` runs; everything passes. */
export async function watch(
  end: NetworkEnd,
  options: OpenOptions & { readonly filter?: string },
  act: () => Promise<unknown>,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  const { filter = 'true', ...rest } = options;
  const handle = await open(filter, {
    attribution: true,
    namespace: end.path,
    ...rest,
    layer: 'network',
  });
  const reading = (async () => {
    for await (const batch of handle.batches()) {
      for (const packet of batch) seen.push(describe(packet));
      if (rest.mode !== 'sniff') batch.send();
    }
  })();
  try {
    await act();
  } finally {
    await handle.close();
    await reading;
  }
  return seen;
}

/** What is kept of a packet. */
export function describe(packet: Packet): Seen {
  const { process, tcp, address } = packet;
  const flags = tcp
    ? `${tcp.syn ? 'S' : ''}${tcp.fin ? 'F' : ''}${tcp.rst ? 'R' : ''}${tcp.ack ? 'A' : ''}`
    : '';
  const text = Buffer.from(packet.payload).toString('latin1').trim();
  return { ends: endsOf(packet), outbound: address.outbound, process, flags, text };
}
