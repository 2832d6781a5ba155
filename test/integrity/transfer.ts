/**
 * One transfer through a handle that rewrites every segment.
 *
 * @module
 */
import { fileURLToPath } from 'node:url';
import { type NetworkHandle, open, type Stats } from '../../src/index.ts';
import type { NetworkEnd } from '../helpers/namespaces.ts';
import { type Running, waitReady } from '../helpers/traffic.ts';
import type { Rewriting } from './rewrite.ts';
import { findRoute, PORT, type Route, type RouteOptions } from './route.ts';
import type { Stage } from './stage.ts';

const STREAM = fileURLToPath(new URL('./stream.py', import.meta.url));

export interface Case extends RouteOptions {
  readonly name: string;
  readonly bytes: number;
  readonly rewriting: Rewriting;
  readonly largePackets: boolean;
  /** Who listens sends. */
  readonly download: boolean;
  /** UDP: bytes of a datagram. */
  readonly datagramBytes: number;
}

/** What one end saw. */
interface Seen {
  readonly bytes: number;
  readonly sha256: string;
}

export interface Outcome {
  readonly sent: Seen;
  readonly received: Seen;
  readonly seconds: number;
  readonly stats: Stats;
  /** Bytes of payload that were rewritten; more than were sent when the kernel sent some again. */
  readonly rewrittenBytes: number;
  /** Frames that each fault befell. */
  readonly befallen: Record<string, number>;
}

/** Runs a case to its end. */
export async function transfer(stage: Stage, one: Case): Promise<Outcome> {
  const route = await findRoute(stage, one);
  const { largePackets } = one;
  const handle = await open(route.filter, { ...route.options, largePackets });
  const work = rewriteAll(handle, one.rewriting, route.translate);
  const start = performance.now();
  try {
    const [sent, received] = await runEnds(route, one);
    const seconds = (performance.now() - start) / 1000;
    await handle.close();
    const rewrittenBytes = await work;
    const befallen = await route.end();
    return { sent, received, seconds, stats: handle.stats(), rewrittenBytes, befallen };
  } finally {
    await handle.close();
    await route.end();
  }
}

async function rewriteAll(
  handle: NetworkHandle,
  { rewrite }: Rewriting,
  translate: Route['translate'],
): Promise<number> {
  let bytes = 0;
  for await (const batch of handle.batches()) {
    for (const packet of batch) {
      bytes += packet.readPayload().length;
      rewrite(packet);
      translate?.(packet);
    }
    batch.send();
  }
  return bytes;
}

/** @returns what the sender and what the receiver saw */
async function runEnds(route: Route, one: Case): Promise<[Seen, Seen]> {
  const { from, to, listenAddress, address, port } = route;
  const [listens, connects] = one.download ? ['send', 'receive'] : ['receive', 'send'];
  const listener = await waitReady(start(to, one, ['listen', listens], listenAddress, PORT));
  const connector = watch(start(from, one, ['connect', connects], address, port));
  const ends = [await seenBy(connector), await seenBy(listener)] as const;
  return one.download ? [ends[1], ends[0]] : [ends[0], ends[1]];
}

function start(
  end: NetworkEnd,
  { protocol, bytes, seed, rewriting, datagramBytes }: Case,
  role: readonly [string, string | undefined],
  address: string,
  port: number,
): ReturnType<NetworkEnd['spawn']> {
  const counted = [port, bytes, seed, rewriting.undo, datagramBytes].map(String);
  return end.spawn('python3', [STREAM, protocol, role[0], role[1] ?? '', address, ...counted]);
}

/** Nobody waits for it to say that it is ready. */
function watch(child: ReturnType<NetworkEnd['spawn']>): Running {
  let text = '';
  child.stdout?.on('data', (chunk) => {
    text += chunk;
  });
  child.stderr?.pipe(process.stderr);
  return { child, output: new Promise((done) => child.once('close', () => done(text))) };
}

async function seenBy({ output, child }: Running): Promise<Seen> {
  const text = await output;
  if (child.exitCode !== 0) throw new Error(`stream.py ended with ${child.exitCode}: ${text}`);
  const { bytes, sha256 } = JSON.parse(text);
  return { bytes, sha256 };
}
