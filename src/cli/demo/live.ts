/**
 * The demo on real traffic.
 *
 * @module
 */

import type { Stats } from '../../index.ts';
import { formatTable, print } from '../output.ts';
import { PORTS } from './hosts.ts';
import { LengthShift } from './length-shift.ts';
import { createDemoNetwork, type DemoNetwork, findLeftovers } from './network.ts';
import {
  BLOCKED_HOST,
  HOLD_MS,
  payloadOf,
  readRequest,
  rewriteResponse,
  SCENES,
} from './scenes.ts';
import { Stage } from './stage.ts';

/** How long the client waits for the blocked host. */
const BLOCKED_TIMEOUT_MS = 1200;

interface Result {
  readonly title: string;
  readonly stats: Stats;
  readonly seen: string;
}

/**
 * Plays all scenes and shows a table of what happened.
 *
 * @throws Error of name `AbortError` when `signal` aborts; nothing is left behind then either
 */
export async function playLive(signal: AbortSignal): Promise<void> {
  const network = await createDemoNetwork();
  try {
    const stage = new Stage(network, signal);
    print(stage.style('bold', 'netdivert demo'));
    print('Two network namespaces joined by a virtual cable: a web client and a web server.');
    print('Handles are opened where the client is; client and server know nothing of them.');
    const results = [
      await seeRequests(stage),
      await rewriteResponses(stage),
      await blockHost(stage),
      await slowDown(stage),
    ];
    showResults(stage, results);
  } finally {
    await network.close();
    showCleanUp(network);
  }
}

async function seeRequests(stage: Stage): Promise<Result> {
  await stage.introduce(1, SCENES.see);
  let requests = 0;
  const stats = await stage.intercept(
    SCENES.see.filter,
    (packet, handle) => {
      const request = readRequest(payloadOf(packet.bytes));
      if (request !== null) {
        requests++;
        stage.tellHandled(`${request.line}, host ${request.host}`);
      }
      handle.send(packet);
    },
    async () => {
      await stage.ask('weather.example', { path: '/tomorrow' });
      await stage.ask('shop.example', { path: '/tickets' });
      await stage.ask('ads.example', { path: '/banner' });
    },
  );
  return { title: SCENES.see.title, stats, seen: `${requests} requests printed` };
}

async function rewriteResponses(stage: Stage): Promise<Result> {
  await stage.introduce(2, SCENES.rewrite);
  const shift = new LengthShift();
  const pages: string[] = [];
  const stats = await stage.intercept(
    SCENES.rewrite.filter,
    (packet, handle) => {
      const payload = payloadOf(packet.bytes);
      const changed = packet.address.outbound ? null : rewriteResponse(payload);
      if (changed === null) shift.apply(packet);
      else {
        const before = payload.length;
        shift.note(packet, before, changed.length);
        packet.payload = changed;
        stage.tellHandled(`response of ${before} bytes is now one of ${changed.length}`);
      }
      handle.send(packet);
    },
    async () => {
      for (const host of ['weather.example', 'shop.example']) {
        pages.push((await stage.ask(host)).body);
      }
    },
  );
  return { title: SCENES.rewrite.title, stats, seen: `client got "${pages[1]}"` };
}

async function blockHost(stage: Stage): Promise<Result> {
  await stage.introduce(3, SCENES.block);
  let seen = '';
  const stats = await stage.intercept(
    SCENES.block.filter,
    (packet, handle) => {
      if (readRequest(payloadOf(packet.bytes))?.host !== BLOCKED_HOST) return handle.send(packet);
      stage.tellHandled(`request for ${BLOCKED_HOST} dropped`);
      return handle.drop(packet);
    },
    async () => {
      const other = await stage.ask('weather.example');
      const blocked = await stage.ask(BLOCKED_HOST, { timeoutMs: BLOCKED_TIMEOUT_MS });
      seen = `${BLOCKED_HOST}: ${blocked.status ?? blocked.body}, others: ${other.status}`;
    },
  );
  return { title: SCENES.block.title, stats, seen };
}

async function slowDown(stage: Stage): Promise<Result> {
  await stage.introduce(4, SCENES.slow);
  const before = await stage.ask('shop.example', { port: PORTS.SLOW });
  let slowed = before;
  const stats = await stage.intercept(
    SCENES.slow.filter,
    (packet, handle) => {
      setTimeout(() => handle.send(packet), HOLD_MS);
    },
    async () => {
      slowed = await stage.ask('shop.example', { port: PORTS.SLOW });
      await stage.ask('shop.example');
      // The last packets of the connection are still held.
      await stage.pause();
    },
  );
  const times = [before, slowed].map(({ elapsedMs }) => `${elapsedMs.toFixed(0)} ms`);
  return { title: SCENES.slow.title, stats, seen: `${times[0]} became ${times[1]}` };
}

function showResults(stage: Stage, results: readonly Result[]): void {
  const rows = results.map(({ title, stats, seen }) => [
    title,
    ...[stats.received, stats.sent, stats.dropped, stats.lost.total].map(String),
    seen,
  ]);
  const headings = ['', 'matched', 'sent', 'dropped', 'lost', 'seen by the client'];
  const [heading = '', ...lines] = formatTable([headings, ...rows]);
  print();
  print(stage.style('bold', heading));
  for (const line of lines) print(line);
}

function showCleanUp(network: DemoNetwork): void {
  const left = findLeftovers(network);
  print();
  print(left.length === 0 ? 'Nothing is left behind.' : `Left behind: ${left.join(', ')}`);
}
