/** The process behind every packet, on real processes. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { watch } from '../helpers/attribution.ts';
import { createNetwork, type Network, type NetworkEnd } from '../helpers/namespaces.ts';
import { scriptPath } from '../helpers/traffic.ts';

let net: Network;
beforeAll(async () => {
  net = await createNetwork();
});
afterAll(() => net.close());

type Target = readonly [protocol: string, address: string, port: number];

/** A process of `exchange.py`. */
interface Peer {
  readonly pid: number;
  readonly ports: readonly Target[];
  /** Talks to others, to the end. */
  talk(targets: readonly Target[]): Promise<void>;
  /** Every pair of ends it used. */
  report(): Promise<readonly (readonly [string, string, string])[]>;
  end(): Promise<void>;
}

async function startPeer(end: NetworkEnd, addresses: readonly string[]): Promise<Peer> {
  const child = end.spawn(
    'python3',
    [scriptPath('exchange').replace('.mjs', '.py'), ...addresses],
    {
      stdio: ['pipe', 'pipe', 'inherit'],
    },
  );
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })[
    Symbol.asyncIterator
  ]();
  const nextLine = async (): Promise<string> => (await lines.next()).value ?? '';
  const say = (text: string): void => void child.stdin?.write(`${text}\n`);
  const { pid, ports } = JSON.parse(await nextLine());
  return {
    pid,
    ports,
    talk: async (targets) => {
      say(JSON.stringify(targets));
      expect(await nextLine()).toBe('done');
    },
    report: async () => {
      say('report');
      return JSON.parse(await nextLine());
    },
    end: () => ended(child),
  };
}

function ended(child: ChildProcess): Promise<void> {
  const exit = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.stdin?.end();
  return exit;
}

describe('20 processes exchanging TCP and UDP', () => {
  test.each(['divert', 'sniff'] as const)('mode %s', async (mode) => {
    const { a, b } = net;
    const onWire = (end: NetworkEnd): string[] => [end.ipv4, end.ipv6];
    const owners = new Map<string, number>();
    const names = new Set<string>();
    const seen = await watch(b, { mode }, async () => {
      const inB = await Promise.all(
        Array.from({ length: 15 }, () => startPeer(b, [...onWire(b), '127.0.0.1', '::1'])),
      );
      const inA = await Promise.all(Array.from({ length: 5 }, () => startPeer(a, onWire(a))));
      const portsInB = inB.flatMap(({ ports }) => ports);
      const reachableInB = portsInB.filter(([, address]) => onWire(b).includes(address));
      const portsInA = inA.flatMap(({ ports }) => ports);
      // Each talks to some of the others: over loopback, from a to b, from b to a.
      const some = (targets: readonly Target[], offset: number, step: number): Target[] =>
        targets.filter((_, index) => index % step === offset % step);
      await Promise.all([
        ...inB.map((peer, index) =>
          peer.talk([...some(portsInB, index, 6), ...some(portsInA, index, 3)]),
        ),
        ...inA.map((peer, index) => peer.talk(some(reachableInB, index, 4))),
      ]);
      for (const peer of inB) {
        for (const ends of await peer.report()) owners.set(ends.join(' '), peer.pid);
      }
      await Promise.all([...inB, ...inA].map((peer) => peer.end()));
    });
    const known = seen.filter(({ ends }) => ends !== null && owners.has(ends));
    const wrong = known.filter(
      ({ ends, process }) => process && process.pid !== owners.get(ends ?? ''),
    );
    const unknown = known.filter(({ process }) => process === null);
    const strangers = seen.filter(({ ends }) => ends === null || !owners.has(ends));
    for (const { process } of known) if (process) names.add(process.name);
    expect(wrong).toEqual([]);
    // How many segments and acknowledgments TCP makes of the same bytes differs from run to run.
    expect(known.length).toBeGreaterThan(5_000);
    expect(unknown.length / known.length, JSON.stringify(unknown.slice(0, 20))).toBeLessThan(0.001);
    expect([...names]).toEqual(['python3']);
    // Neighbour discovery of the kernel, and nothing else.
    expect(strangers.filter(({ process, ends }) => process || ends !== null)).toEqual([]);
  });
});
