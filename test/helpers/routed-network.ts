/**
 * A third namespace behind `b`: `a` reaches it through `b`, which forwards both families.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import type { Network } from './namespaces.ts';

/** The namespace behind the router. */
export interface RoutedEnd {
  readonly path: string;
  readonly ipv4: string;
  readonly ipv6: string;
  /** Of the router's interface that faces `a`. */
  readonly interfaceIndex: number;
  close(): void;
}

const INNER = { router: '10.98.0.2', end: '10.98.0.3', ipv4: '10.98.0.0/24', ipv6: 'fd00:98::/64' };

/** Adds the namespace, its link to `b`, and the routes. */
export function addRoutedEnd(net: Network): RoutedEnd {
  const { a, b } = net;
  // Named so that `sweepStaleNetworks` finds it.
  const name = b.name.replace(/b$/, 'c');
  ip(['netns', 'add', name]);
  const link = ['link', 'add', 'inner', 'netns', b.name, 'type', 'veth'];
  ip([...link, 'peer', 'name', 'inner', 'netns', name]);
  batch(b.name, [
    `addr add ${INNER.router}/24 dev inner`,
    'addr add fd00:98::2/64 dev inner nodad',
    'link set inner up',
  ]);
  batch(name, [
    'link set lo up',
    `addr add ${INNER.end}/24 dev inner`,
    'addr add fd00:98::3/64 dev inner nodad',
    'link set inner up',
    `route add default via ${INNER.router}`,
    '-6 route add default via fd00:98::2',
  ]);
  batch(a.name, [
    `route replace ${INNER.ipv4} via ${b.ipv4}`,
    `-6 route replace ${INNER.ipv6} via ${b.ipv6}`,
  ]);
  const forward =
    'echo 1 > /proc/sys/net/ipv4/ip_forward; echo 1 > /proc/sys/net/ipv6/conf/all/forwarding';
  execFileSync('nsenter', [`--net=${b.path}`, 'sh', '-c', forward]);
  return {
    path: `/run/netns/${name}`,
    ipv4: INNER.end,
    ipv6: 'fd00:98::3',
    interfaceIndex: b.interfaceIndex,
    close: () => ip(['netns', 'delete', name]),
  };
}

function ip(args: readonly string[], input?: string): void {
  execFileSync('ip', args, {
    input,
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  });
}

function batch(namespace: string, commands: readonly string[]): void {
  for (const command of commands) ip(['-n', namespace, ...command.split(' ')]);
}
