/**
 * Whatever happens to the process: traffic goes on as the options say, and nothing of it stays.
 *
 * Times are printed, so that the long campaign can report them; none is asserted beyond coming back at all.
 */
import { type ChildProcess, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { COMMAND, ensureBuilt } from '../helpers/command.ts';
import { listTables, namesOfMaps, programsOf } from '../helpers/kernel-objects.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { backAfter, startStream } from '../helpers/outage.ts';
import { PATIENCE } from '../helpers/patience.ts';
import { waitReady } from '../helpers/traffic.ts';

const PORT = 6100;
const PER_SECOND = 1000;
const SCRIPT = fileURLToPath(new URL('../helpers/every-handle.mjs', import.meta.url));
/** Of an event loop that is blocked, and of a process that is stopped. */
const STALL_MS = Number(process.env.STALL_MS ?? 5000);
/** Traffic that is not back by then is lost for good. */
const BACK_MS = 2000;

let net: Network;
beforeAll(async () => {
  ensureBuilt();
  net = await createNetwork();
}, 60_000);
afterAll(() => net.close());

/** One line of the table in docs/trust. */
function report(name: string, figure: string): void {
  const line = `no blackhole: ${name}: ${figure}\n`;
  process.stdout.write(line);
  if (process.env.TRUST_REPORT) appendFileSync(process.env.TRUST_REPORT, line);
}

interface Victim {
  readonly child: ChildProcess;
  readonly pid: number;
  tell(how: string, details?: object): void;
}

async function startVictim(flags: readonly string[] = [], options: object = {}): Promise<Victim> {
  const args = [...flags, SCRIPT, String(PORT), JSON.stringify(options)];
  const { child } = await waitReady(net.b.spawn(process.execPath, args));
  const tell = (how: string, details: object = {}): void => {
    child.stdin?.write(`${JSON.stringify({ how, ...details })}\n`);
  };
  return { child, pid: Number(child.pid), tell };
}

/** Devices and queues of the namespace. */
async function devicesAndQueues(): Promise<string[]> {
  const { stdout: links } = await net.b.exec('ip', ['-o', 'link']);
  const queues = await net.b.exec('cat', ['/proc/net/netfilter/nfnetlink_queue']);
  return `${links}${queues.stdout}`.split('\n').map((line) => line.replace(/^\d+: (\S+).*/, '$1'));
}

/** What is in the kernel of a process, by name; programs go with their links and hooks. */
function objectsOf(pid: number): string[] {
  const ofPid = new RegExp(`^nd[a-z_]*_${pid}$`);
  return [...programsOf(pid), ...namesOfMaps().filter((name) => ofPid.test(name))];
}

async function expectNothingLeft(pid: number, before: readonly string[]): Promise<void> {
  for (let tries = 0; objectsOf(pid).length > 0 && tries < 300; tries++) await sleep(10);
  expect(objectsOf(pid)).toEqual([]);
  expect(await listTables(net.b)).toEqual([]);
  expect(await devicesAndQueues()).toEqual(before);
}

describe('a process that dies', () => {
  const DEATHS: [name: string, flags: string[], die: (victim: Victim) => void][] = [
    ['kill -9', [], ({ child }) => child.kill('SIGKILL')],
    ['SIGSEGV', [], (victim) => victim.tell('segv')],
    ['out of memory', ['--max-old-space-size=40'], (victim) => victim.tell('out of memory')],
    ['a handler that throws', [], (victim) => victim.tell('throw')],
  ];
  test.each(DEATHS)(
    '%s: traffic is back, nothing is left of any handle',
    async (name, flags, die) => {
      const before = await devicesAndQueues();
      const victim = await startVictim(flags);
      expect(objectsOf(victim.pid).length).toBeGreaterThan(10);
      const stream = await startStream(net.a, net.b, PORT, PER_SECOND);
      await sleep(500 * PATIENCE);
      const exited = once(victim.child, 'exit');
      die(victim);
      const [code, signal] = await exited;
      const death = Date.now();
      expect(signal ?? code).not.toBe(0);
      await sleep(BACK_MS);
      const times = await stream.stop();
      const longestGap = Math.max(...times.slice(1).map((time, at) => time - (times[at] ?? time)));
      report(
        name,
        `back ${Math.round(backAfter(times, death))} ms after it; longest gap ${Math.round(longestGap)} ms`,
      );
      expect(times.filter((time) => time < death - 100).length).toBeGreaterThan(100);
      expect(backAfter(times, death)).toBeLessThan(BACK_MS);
      await expectNothingLeft(victim.pid, before);
    },
  );
});

describe('a process that stands still', () => {
  const STALLS: [name: string, stall: (victim: Victim) => Promise<void>][] = [
    [
      'an event loop that is blocked',
      async (victim) => {
        victim.tell('block', { ms: STALL_MS });
        await sleep(STALL_MS);
      },
    ],
    [
      'SIGSTOP and SIGCONT',
      async ({ child }) => {
        child.kill('SIGSTOP');
        await sleep(STALL_MS);
        child.kill('SIGCONT');
      },
    ],
  ];
  test.each(STALLS)(
    '%s: what matches waits, the rest goes on, none is lost',
    async (name, stall) => {
      const before = await devicesAndQueues();
      const victim = await startVictim();
      const matching = await startStream(net.a, net.b, PORT, 100);
      const other = await startStream(net.a, net.b, PORT + 1, 100);
      await sleep(500 * PATIENCE);
      const start = Date.now();
      await stall(victim);
      await sleep(1000);
      const [matched, passed] = await Promise.all([matching.stop(), other.stop()]);
      const during = (times: readonly number[]): number =>
        times.filter((time) => time > start + 300 && time < start + STALL_MS - 300).length;
      report(
        name,
        `${during(matched)} of ${during(passed)} arrived during ${STALL_MS} ms, ${matched.length} of ${passed.length} in all`,
      );
      expect(during(matched)).toBe(0);
      expect(during(passed)).toBeGreaterThan(10);
      expect(backAfter(matched, start + STALL_MS)).toBeLessThan(BACK_MS);
      // The two streams were not started at the very same moment.
      expect(matched.length).toBeGreaterThan(passed.length * 0.8);
      victim.child.kill('SIGKILL');
      await once(victim.child, 'exit');
      await expectNothingLeft(victim.pid, before);
    },
  );

  test('stopped, then killed: what it held goes where onExit says', async () => {
    const before = await devicesAndQueues();
    const { child, pid } = await startVictim();
    const stream = await startStream(net.a, net.b, PORT, 100);
    await sleep(300);
    child.kill('SIGSTOP');
    await sleep(500);
    child.kill('SIGKILL');
    await once(child, 'exit');
    const death = Date.now();
    await sleep(BACK_MS);
    const times = await stream.stop();
    report('stopped, then killed', `back ${Math.round(backAfter(times, death))} ms after it`);
    expect(backAfter(times, death)).toBeLessThan(BACK_MS);
    await expectNothingLeft(pid, before);
  });
});

test('a full disk under dump -w: it says so and ends, traffic never stops', async () => {
  const before = await devicesAndQueues();
  const stream = await startStream(net.a, net.b, PORT, PER_SECOND);
  const args = [COMMAND, 'dump', `udp.DstPort == ${PORT}`, '-w', '/dev/full', '-c', '1000000'];
  const { code, stderr } = await net.b.exec(process.execPath, args);
  const end = Date.now();
  await sleep(300);
  const times = await stream.stop();
  const gaps = times.slice(1).map((time, at) => time - (times[at] ?? time));
  report('a full disk', `exit code ${code}, longest gap ${Math.round(Math.max(...gaps))} ms`);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: expect.stringContaining('the disk is full'),
  });
  expect(backAfter(times, end)).toBeLessThan(BACK_MS);
  expect(await listTables(net.b)).toEqual([]);
  expect(await devicesAndQueues()).toEqual(before);
});

test('this test leaves no process behind', () => {
  const listed = execFileSync('ip', ['netns', 'pids', net.b.name], { encoding: 'utf8' });
  expect(listed.trim()).toBe('');
});
