/**
 * Who sends to whom, and where the handle stands.
 *
 * @module
 */
import type { NetworkOpenOptions, Packet } from '../../src/index.ts';
import type { Family } from '../helpers/datagram.ts';
import type { NetworkEnd } from '../helpers/namespaces.ts';
import type { Faults, Stage } from './stage.ts';

/** Of the receiver, and the one that the sender of a NAT case believes in. */
export const PORT = 7000;
const VIRTUAL_PORT = 4321;

/** Where a case takes place. */
export type Place =
  | 'inbound'
  | 'outbound'
  | 'loopback'
  | 'forward'
  | 'NAT, sending host'
  | 'NAT, router';

/** What a case needs to know. */
export interface RouteOptions {
  readonly place: Place;
  readonly family: Family;
  readonly protocol: 'tcp' | 'udp';
  readonly mtuBytes: number;
  readonly offloads: boolean;
  /** The pieces of datagrams, not the whole. */
  readonly pieces: boolean;
  readonly faults: Faults | null;
  readonly seed: number;
}

export interface Route {
  readonly from: NetworkEnd;
  readonly to: NetworkEnd;
  /** Where the receiver listens. */
  readonly listenAddress: string;
  /** Where the sender sends to. */
  readonly address: string;
  readonly port: number;
  readonly filter: string;
  readonly options: NetworkOpenOptions;
  /** Changes addresses and ports. */
  readonly translate: ((packet: Packet) => void) | null;
  /** Ends what is of this case alone; returns how many frames each fault befell. */
  end(): Promise<Record<string, number>>;
}

/** Finds the hosts of a case. */
export async function findRoute(stage: Stage, options: RouteOptions): Promise<Route> {
  const { place, family } = options;
  if (place === 'forward' || place === 'NAT, router') return forwardRoute(stage, options);
  if (options.faults) return faultyRoute(stage, options, options.faults);
  const { a, b } = await stage.link(options);
  const loopback = place === 'loopback';
  const listenAddress = loopback ? { ipv4: '127.0.0.1', ipv6: '::1' }[family] : b[family];
  const route = { from: a, to: loopback ? a : b, listenAddress, end: async () => ({}) };
  if (place !== 'NAT, sending host') {
    const end = place === 'inbound' ? b : a;
    return { ...route, ...straight(listenAddress), ...plainHandle(options, end.path) };
  }
  const virtual = { ipv4: '10.99.0.77', ipv6: 'fd00:99::77' }[family];
  const ip = family === 'ipv4' ? 'ip' : 'ipv6';
  return {
    ...route,
    address: virtual,
    port: VIRTUAL_PORT,
    filter: `outbound and ${ip}.DstAddr == ${virtual} and tcp.DstPort == ${VIRTUAL_PORT} or
      inbound and ${ip}.SrcAddr == ${listenAddress} and tcp.SrcPort == ${PORT}`,
    options: { namespace: a.path },
    translate: (packet) => translate(packet, virtual, listenAddress),
  };
}

/** What a handle without address translation is opened with. */
function plainHandle(
  { place, family, protocol, pieces }: RouteOptions,
  namespace: string,
): Pick<Route, 'filter' | 'options' | 'translate'> {
  const ip = family === 'ipv4' ? 'ip' : 'ipv6';
  const port = `${protocol}.DstPort == ${PORT}`;
  return {
    filter: pieces ? `${place} and ${ip} and (fragment or ${port})` : `${place} and ${port}`,
    options: { namespace, ...(pieces ? { fragments: true } : {}) },
    translate: null,
  };
}

function straight(address: string): Pick<Route, 'address' | 'port'> {
  return { address, port: PORT };
}

async function faultyRoute(stage: Stage, options: RouteOptions, faults: Faults): Promise<Route> {
  const { a, b, addresses, end } = await stage.faultyLink(faults, options.seed);
  const listenAddress = addresses[options.family];
  const namespace = options.place === 'inbound' ? b.path : a.path;
  return {
    from: a,
    to: b,
    listenAddress,
    ...straight(listenAddress),
    ...plainHandle(options, namespace),
    end,
  };
}

/** Both hosts know the other by an address that nobody has, behind the router. */
async function forwardRoute(stage: Stage, { place, family }: RouteOptions): Promise<Route> {
  const { a, b, router } = await stage.routed();
  const listenAddress = b[family];
  const route = { from: a.end, to: b.end, listenAddress, end: async () => ({}) };
  const options = { layer: 'forward', namespace: router.path } as const;
  if (place === 'forward') {
    const filter = `tcp.DstPort == ${PORT}`;
    return { ...route, ...straight(listenAddress), filter, options, translate: null };
  }
  const virtual = {
    ipv4: { client: '10.98.1.77', server: '10.98.2.77' },
    ipv6: { client: 'fd00:98:1::77', server: 'fd00:98:2::77' },
  }[family];
  return {
    ...route,
    address: virtual.server,
    port: VIRTUAL_PORT,
    filter: `tcp.DstPort == ${VIRTUAL_PORT} or tcp.SrcPort == ${PORT}`,
    options,
    translate: (packet) => {
      const ip = packet.ip ?? packet.ipv6;
      if (!ip || !packet.tcp) return;
      if (packet.tcp.dstPort === VIRTUAL_PORT) ip.srcAddr = virtual.client;
      else ip.dstAddr = a[family];
      translate(packet, virtual.server, listenAddress);
    },
  };
}

/** The server's side of a translation, both ways. */
function translate(packet: Packet, virtual: string, real: string): void {
  const ip = packet.ip ?? packet.ipv6;
  const { tcp } = packet;
  if (!ip || !tcp) return;
  if (tcp.dstPort === VIRTUAL_PORT) {
    ip.dstAddr = real;
    tcp.dstPort = PORT;
  } else {
    ip.srcAddr = virtual;
    tcp.srcPort = VIRTUAL_PORT;
  }
}
