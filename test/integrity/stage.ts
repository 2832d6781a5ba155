/**
 * The networks of the cases, each made when it is first wanted.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Family } from '../helpers/datagram.ts';
import { createNetwork, type Network, type NetworkEnd } from '../helpers/namespaces.ts';
import { createRoutedNetwork, type RoutedNetwork } from '../helpers/routed.ts';
import { type Running, waitReady } from '../helpers/traffic.ts';

const WIRE = fileURLToPath(new URL('./wire.py', import.meta.url));
const WIRE_DEVICE = 'wire0';
/** lo's own 65,536 are more than the kernel hands over of a packet: those cannot be changed. */
const LOOPBACK_MTU_BYTES = 16_384;
const OFFLOADS = ['gro', 'gso', 'tso', 'tx', 'rx'] as const;

/** Shares of frames, and times: see wire.py. */
export interface Faults {
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  readonly reorderMs?: number;
  readonly corrupt?: number;
  readonly delayMs?: number;
}

/** A pair of hosts. */
export interface LinkOptions {
  readonly mtuBytes: number;
  readonly offloads: boolean;
}

/** Two hosts with a wire of frames that may be lost between them. */
export interface FaultyLink {
  readonly a: NetworkEnd;
  readonly b: NetworkEnd;
  readonly addresses: Readonly<Record<Family, string>>;
  /** Takes it down; returns how many frames each fault befell. */
  end(): Promise<Record<string, number>>;
}

export class Stage {
  readonly #links = new Map<string, Promise<Network>>();
  #routed: Promise<RoutedNetwork> | undefined;

  /** Two hosts with a veth pair between them. */
  link(options: LinkOptions): Promise<Network> {
    const key = JSON.stringify(options);
    const link = this.#links.get(key) ?? makeLink(options);
    this.#links.set(key, link);
    return link;
  }

  /** A host, a router, another host. */
  routed(): Promise<RoutedNetwork> {
    this.#routed ??= createRoutedNetwork();
    return this.#routed;
  }

  /** A wire with faults. */
  async faultyLink(faults: Faults, seed: number): Promise<FaultyLink> {
    const { a, b } = await this.link({ mtuBytes: 1500, offloads: true });
    const args = [WIRE, a.path, b.path, WIRE_DEVICE, String(seed), JSON.stringify(faults)];
    const wire: Running = await waitReady(spawn('python3', args));
    await setUpWire(a, 1);
    await setUpWire(b, 2);
    return {
      a,
      b,
      addresses: { ipv4: '10.97.0.2', ipv6: 'fd00:97::2' },
      end: async () => {
        wire.child.stdin?.end();
        return JSON.parse(await wire.output);
      },
    };
  }

  async close(): Promise<void> {
    for (const link of this.#links.values()) await (await link).close();
    await (await this.#routed)?.close();
  }
}

async function makeLink({ mtuBytes, offloads }: LinkOptions): Promise<Network> {
  const net = await createNetwork({ mtu: mtuBytes });
  for (const end of [net.a, net.b]) {
    await run(end, 'ip', ['link', 'set', 'lo', 'mtu', String(LOOPBACK_MTU_BYTES)]);
    if (offloads) continue;
    await run(end, 'ethtool', ['-K', end.interface, ...OFFLOADS.flatMap((name) => [name, 'off'])]);
  }
  return net;
}

async function setUpWire(end: NetworkEnd, host: number): Promise<void> {
  await run(end, 'ip', ['link', 'set', WIRE_DEVICE, 'up']);
  await run(end, 'ip', ['addr', 'add', `10.97.0.${host}/24`, 'dev', WIRE_DEVICE]);
  await run(end, 'ip', ['addr', 'add', `fd00:97::${host}/64`, 'dev', WIRE_DEVICE, 'nodad']);
}

async function run(end: NetworkEnd, file: string, args: readonly string[]): Promise<void> {
  const { code, stderr } = await end.exec(file, args);
  if (code !== 0) throw new Error(`${file} ${args.join(' ')}: ${stderr}`);
}
