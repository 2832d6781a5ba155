/**
 * Three network namespaces in a row: a host, a router, another host.
 *
 *     a  10.98.1.2  ----  10.98.1.1  r  10.98.2.1  ----  10.98.2.2  b
 *        fd00:98:1::2     fd00:98:1::1  fd00:98:2::1     fd00:98:2::2
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { createNetwork, type Network, type NetworkEnd } from './namespaces.ts';

/** The router. */
export interface Router {
  readonly name: string;
  readonly path: string;
  /** Its interface to a, and to b: names and numbers. */
  readonly toA: { readonly name: string; readonly index: number };
  readonly toB: { readonly name: string; readonly index: number };
  /** Its addresses on the side of b, which masquerading puts in. */
  readonly outside: { readonly ipv4: string; readonly ipv6: string };
  /** Runs a program inside; throws when it fails. */
  run(file: string, args: readonly string[], input?: string): string;
  /** Loads a ruleset of nft. */
  nft(ruleset: string): void;
}

/** A host's addresses on its side of the router. */
export interface Host {
  readonly end: NetworkEnd;
  readonly ipv4: string;
  readonly ipv6: string;
}

export interface RoutedNetwork extends AsyncDisposable {
  readonly a: Host;
  readonly b: Host;
  readonly router: Router;
  close(): Promise<void>;
}

/** Makes the namespaces; forwarding is on in the router. */
export async function createRoutedNetwork(): Promise<RoutedNetwork> {
  const net: Network = await createNetwork();
  const name = net.a.name.replace(/-a$/, '-r');
  const path = `/run/netns/${name}`;
  const enter = (namespace: string, file: string, args: readonly string[], input = ''): string =>
    execFileSync('nsenter', [`--net=/run/netns/${namespace}`, '--', file, ...args], {
      encoding: 'utf8',
      input,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  const close = async (): Promise<void> => {
    try {
      execFileSync('ip', ['netns', 'delete', name], { stdio: 'ignore' });
    } catch {
      // Closed before.
    }
    await net.close();
  };
  const connect = (host: NetworkEnd, device: string, side: number): void => {
    const link = ['link', 'add', device, 'netns', name, 'type', 'veth'];
    execFileSync('ip', [...link, 'peer', 'name', 'up0', 'netns', host.name]);
    enter(name, 'ip', ['addr', 'add', `10.98.${side}.1/24`, 'dev', device]);
    enter(name, 'ip', ['addr', 'add', `fd00:98:${side}::1/64`, 'dev', device, 'nodad']);
    enter(name, 'ip', ['link', 'set', device, 'up']);
    enter(host.name, 'ip', ['addr', 'add', `10.98.${side}.2/24`, 'dev', 'up0']);
    enter(host.name, 'ip', ['addr', 'add', `fd00:98:${side}::2/64`, 'dev', 'up0', 'nodad']);
    enter(host.name, 'ip', ['link', 'set', 'up0', 'up']);
    enter(host.name, 'ip', ['route', 'add', 'default', 'via', `10.98.${side}.1`]);
    enter(host.name, 'ip', ['-6', 'route', 'add', 'default', 'via', `fd00:98:${side}::1`]);
  };
  try {
    execFileSync('ip', ['netns', 'add', name]);
    const settings =
      'cd /proc/sys/net; for f in default all; do echo 0 > ipv6/conf/$f/accept_dad; echo 1 > ipv6/conf/$f/forwarding; done; echo 1 > ipv4/ip_forward';
    enter(name, 'sh', ['-c', settings]);
    enter(name, 'ip', ['link', 'set', 'lo', 'up']);
    connect(net.a, 'left0', 1);
    connect(net.b, 'right0', 2);
    const index = (device: string): number =>
      JSON.parse(enter(name, 'ip', ['-j', 'link', 'show', device]))[0].ifindex;
    const router: Router = {
      name,
      path,
      toA: { name: 'left0', index: index('left0') },
      toB: { name: 'right0', index: index('right0') },
      outside: { ipv4: '10.98.2.1', ipv6: 'fd00:98:2::1' },
      run: (file, args, input) => enter(name, file, args, input),
      nft: (ruleset) => {
        enter(name, 'nft', ['-f', '-'], ruleset);
      },
    };
    const host = (end: NetworkEnd, side: number): Host => ({
      end,
      ipv4: `10.98.${side}.2`,
      ipv6: `fd00:98:${side}::2`,
    });
    return { a: host(net.a, 1), b: host(net.b, 2), router, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await close();
    throw error;
  }
}
