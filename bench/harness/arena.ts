/** A fresh pair of namespaces for every run: nothing one tool left behind is in the way of the next. */

import { createNetwork, type Network, type NetworkEnd } from '../../test/helpers/namespaces.ts';
import { type Command, Program } from './program.ts';

const SETTLE_MS = 150;

/** Traffic goes from `a` to `b`; what is measured is in `b`. */
export interface Arena {
  readonly a: NetworkEnd;
  readonly b: NetworkEnd;
  /** Starts a program and waits until it says that it is ready. */
  start(end: NetworkEnd, command: Command): Promise<Program>;
  /** Runs a program to its end and returns what it printed as JSON. */
  run<T>(end: NetworkEnd, command: Command, timeoutMs?: number): Promise<T>;
  /** Adds rules to `b`, each as `iptables` takes it. */
  rules(...rules: readonly string[]): Promise<void>;
}

/** Makes the pair, runs `body` in it and removes it. */
export async function inArena<T>(body: (arena: Arena) => Promise<T>): Promise<T> {
  const network = await createNetwork();
  try {
    // Both ends know each other's address before anything is measured.
    await must(network, 'a', 'ping', ['-c', '1', '-W', '2', network.b.ipv4]);
    // Trains of datagrams are cut up in front of the device, so that what arrives is packets.
    await network.a.exec('ethtool', ['-K', network.a.interface, 'tx-udp-segmentation', 'off']);
    const start: Arena['start'] = (end, command) => new Program(end, command).ready();
    return await body({
      a: network.a,
      b: network.b,
      start: async (end, command) => {
        const program = await start(end, command);
        await sleep(SETTLE_MS);
        return program;
      },
      run: (end, command, timeoutMs) => new Program(end, command).result(timeoutMs),
      rules: async (...rules) => {
        for (const rule of rules) await must(network, 'b', 'iptables-nft', rule.split(' '));
      },
    });
  } finally {
    await network.close();
  }
}

async function must(
  network: Network,
  end: 'a' | 'b',
  file: string,
  args: readonly string[],
): Promise<void> {
  const { code, stdout, stderr } = await network[end].exec(file, args);
  if (code !== 0) throw new Error(`${file}: ${stdout}${stderr}`);
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, milliseconds);
  });
}
