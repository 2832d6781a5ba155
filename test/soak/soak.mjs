/**
 * All features at about half the maximum rate for a while: `npm run soak -- --minutes 10`.
 *
 * Each cycle ends with every packet accounted for, and nothing left in the kernel. Exits with 1
 * when packets are missing, something is left or memory grows. Needs root and a build.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { open } from '../../dist/index.js';
import { createNetwork } from '../kernel/network.mjs';
import { countMissing, startWatching } from './counters.mjs';
import { Cycle } from './cycle.mjs';
import { Load, PORT, start } from './load.mjs';
import { Meters } from './meters.mjs';
import { sendAll } from './programs.mjs';
import { findGrowth, summarize } from './trend.mjs';

const OPTIONS = {
  minutes: { type: 'string', default: '10' },
  /** Length of a cycle. */
  seconds: { type: 'string', default: '10' },
  /** Packets per second of all handles together, instead of half the maximum. */
  rate: { type: 'string' },
};
/** Sent over one connection in each second of a cycle. */
const TRANSFER_BYTES = 100_000;
const CALIBRATION_MS = 2000;
/** Whatever is closed lets the process end much sooner. */
const ENDING_MS = 5000;
/** Handles that a datagram of the main flow goes through, or is copied to. */
const PASSES = 10;

/** Datagrams per second that one handle sends back when more are offered. */
async function measureMaximum({ client, server }) {
  const filter = `inbound and udp.DstPort == ${PORT.main}`;
  const handle = await open(filter, { namespace: server.path });
  const work = sendAll(handle);
  const flood = await start(client, 'udp-flood', server.ipv4, PORT.main, 1e12, 36);
  await sleep(300);
  const before = handle.stats().sent;
  await sleep(CALIBRATION_MS);
  const rate = ((handle.stats().sent - before) / CALIBRATION_MS) * 1000;
  flood.child.kill();
  await flood.ended;
  await handle.close();
  await work;
  return rate;
}

const COLUMNS = [
  'time s',
  'packets',
  'events',
  'handles',
  'RSS MiB',
  'heap MiB',
  'malloc',
  'fds',
  'wait p99',
  'loop p99',
  'max ms',
];

function printRow(values) {
  process.stdout.write(`${values.map((value) => String(value).padStart(9)).join('')}\n`);
}

/** What is wrong after a cycle, in words. */
async function findProblems(ends, result, before, row, first) {
  const problems = [...result.problems];
  for (const end of ends) {
    const counted = (await countMissing(end)).missing - before.get(end);
    const known = result.missing.get(end) ?? 0;
    if (counted !== known) problems.push(`${end.name}: ${counted} packets missing, ${known} known`);
  }
  if (row.left.length > 0) problems.push(`left: ${row.left.join('; ')}`);
  if (row.descriptors > first.descriptors) {
    const more = [...row.kinds].filter(([kind, count]) => count > (first.kinds.get(kind) ?? 0));
    problems.push(
      `descriptors: ${first.descriptors} before, ${row.descriptors} now, more of ${more.map((kind) => kind.join(' ')).join(', ')}`,
    );
  }
  return problems;
}

async function runCycles(network, values, endAt) {
  const ends = [network.server, network.router];
  const rate = values.rate ? Number(values.rate) : (await measureMaximum(network)) / 2;
  process.stdout.write(`load: ${Math.round(rate)} packets/s of all handles together\n`);
  for (const end of ends) await startWatching(end);
  const load = new Load(network);
  await load.start(rate / PASSES);
  const meters = new Meters(ends);
  const rows = [];
  const problems = [];
  const begin = Date.now();
  printRow(COLUMNS);
  do {
    const before = new Map();
    load.pause();
    await sleep(100);
    for (const end of ends) before.set(end, (await countMissing(end)).missing);
    load.resume();
    const cycle = Number(values.seconds);
    const result = await new Cycle(network, load).run(cycle * 1000, cycle * TRANSFER_BYTES);
    await sleep(100);
    const { packets, events, handles, waitMs } = result;
    const waits = { waitP50: waitMs.p50, waitP99: waitMs.p99, waitMax: waitMs.max };
    const seconds = (Date.now() - begin) / 1000;
    const row = { ...(await meters.read()), ...waits, seconds, packets, events, handles };
    rows.push(row);
    problems.push(...(await findProblems(ends, result, before, row, rows[0])));
    printRow([
      Math.round(seconds),
      packets,
      events,
      handles,
      row.rssMiB.toFixed(1),
      row.heapMiB.toFixed(1),
      row.nativeMiB.toFixed(1),
      row.descriptors,
      row.waitP99.toFixed(1),
      row.loopP99.toFixed(1),
      row.loopMax.toFixed(1),
    ]);
    for (const problem of problems.splice(0)) {
      process.exitCode = 1;
      process.stdout.write(`!! ${problem}\n`);
    }
  } while (Date.now() < endAt);
  meters.close();
  return rows;
}

const { values } = parseArgs({ options: OPTIONS });
const network = createNetwork();
try {
  const rows = await runCycles(network, values, Date.now() + Number(values.minutes) * 60_000);
  for (const growth of findGrowth(rows)) {
    process.exitCode = 1;
    process.stdout.write(`!! ${growth}\n`);
  }
  const verdict = process.exitCode ? 'FAILED' : 'every packet accounted for, nothing left';
  const packets = rows.reduce((sum, row) => sum + row.packets, 0);
  const last = `${rows.length} cycles, ${packets} packets: ${verdict}`;
  process.stdout.write(`${[...summarize(rows), last].join('\n')}\n`);
} finally {
  network.close();
}
setTimeout(() => {
  process.stdout.write('!! the process does not end: something is still open\n');
  process.exit(1);
}, ENDING_MS).unref();
