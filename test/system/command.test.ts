import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { COMMAND, ensureBuilt, netdivert } from '../helpers/command.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { startCommand as start } from '../helpers/running-command.ts';

beforeAll(ensureBuilt, 60_000);

describe('commands on live traffic', () => {
  let net: Network;

  beforeEach(async () => {
    net = await createNetwork();
  });

  afterEach(() => net.close());

  const ping = (count: number): Promise<{ code: number }> =>
    net.a.exec('ping', ['-q', '-c', String(count), '-i', '0.01', net.b.ipv4]);

  test('dump prints what passes, and it passes', async () => {
    const dump = start(['dump', '-N', net.a.path, '-c', '4', 'icmp']);
    await dump.saw('watching icmp');
    expect(await ping(2)).toMatchObject({ code: 0 });
    expect(await dump.ended()).toBe(0);
    expect(
      dump.output.stdout
        .replace(/^\S+ /gm, '')
        .replace(/ ping\[\d+\]/g, '')
        .replace(/id \d+/g, 'id N'),
    ).toBe(
      [
        `out IP  ${net.a.ipv4} > ${net.b.ipv4}: ICMP echo request, id N, seq 1, length 56`,
        `in  IP  ${net.b.ipv4} > ${net.a.ipv4}: ICMP echo reply, id N, seq 1, length 56`,
        `out IP  ${net.a.ipv4} > ${net.b.ipv4}: ICMP echo request, id N, seq 2, length 56`,
        `in  IP  ${net.b.ipv4} > ${net.a.ipv4}: ICMP echo reply, id N, seq 2, length 56`,
        '',
      ].join('\n'),
    );
    expect(dump.output.stderr).toMatch(
      /\n4 packets captured\n4 matched, of \d+ that came by\n0 lost\n$/,
    );
  });

  test('a namespace of ip netns is found by its name', async () => {
    const dump = start(['dump', '-N', net.a.name, '-c', '1', 'icmp']);
    await dump.saw('watching');
    await ping(1);
    expect(await dump.ended()).toBe(0);
  });

  test.each([
    ['SIGINT', 'dump'],
    ['SIGTERM', 'pass'],
  ] as const)('%s ends %s with its summary; traffic goes on', async (signal, command) => {
    const running = start([command, '-N', net.a.path]);
    await running.saw('Ctrl-C ends');
    expect(await ping(5)).toMatchObject({ code: 0 });
    running.child.kill(signal);
    expect(await running.ended()).toBe(130);
    expect(running.output.stderr).toMatch(/\d+ (packets )?matched, [\s\S]*0 lost\n/);
    expect(await ping(2)).toMatchObject({ code: 0 });
  });

  test('pass puts every packet back and counts it', async () => {
    const pass = start(['pass', '-N', net.a.path, '-c', '200', 'icmp']);
    await pass.saw('passing icmp');
    expect(await ping(100)).toMatchObject({ code: 0 });
    expect(await pass.ended()).toBe(0);
    expect(pass.output.stderr).toMatch(/200 packets matched, 200 sent on, 0 lost\n/);
  });

  test('pass ends after its duration', async () => {
    const pass = start(['pass', '-N', net.a.path, '-d', '1s']);
    expect(await pass.ended()).toBe(0);
    expect(pass.output.stderr).toContain('packets/s over');
  });

  test('a namespace that is not there is an error', async () => {
    const result = await netdivert(['dump', '-N', 'no-such-namespace']);
    expect(result).toMatchObject({ code: 1, stdout: '' });
    expect(result.stderr).toContain('no-such-namespace');
  });
});

test.each([['dump'], ['pass']])('without capabilities %s says what is missing', async (command) => {
  const child = spawn('setpriv', [
    ...['--bounding-set=-all', '--inh-caps=-all', '--'],
    ...[process.execPath, COMMAND, command, 'icmp'],
  ]);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  expect({ code, stderr }).toEqual({ code: 7, stderr: expect.stringContaining('CAP_NET_ADMIN') });
});

describe('demo', () => {
  /** Every network namespace that some process is in. */
  function namespaces(): Set<string> {
    const found = new Set<string>();
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        found.add(readlinkSync(`/proc/${pid}/ns/net`));
      } catch {
        // It ended meanwhile.
      }
    }
    return found;
  }

  /** Namespaces end a moment after the last process in them. */
  async function expectNothingLeft(before: Set<string>): Promise<void> {
    await expect
      .poll(() => [...namespaces()].filter((name) => !before.has(name)), { timeout: 5000 })
      .toEqual([]);
  }

  test('shows, rewrites, blocks and slows real traffic, and leaves nothing behind', async () => {
    const before = namespaces();
    const demo = start(['demo']);
    expect(await demo.ended()).toBe(0);
    const { stdout, stderr } = demo.output;
    expect(stderr).toBe('');
    for (const line of [
      'handle  GET /tickets HTTP/1.1, host shop.example',
      'client  weather.example: 200 "Tomorrow: sun!"',
      'client  shop.example: 200 "A ticket is 19.99 EUR, today only"',
      'handle  request for ads.example dropped',
      'client  ads.example: no answer',
      'Nothing is left behind.',
    ]) {
      expect(stdout).toContain(line);
    }
    const rows = [
      ...stdout.matchAll(/^(See|Rewrite|Block|Slow).*? {2,}(\d+) +(\d+) +(\d+) +(\d+) /gm),
    ];
    expect(rows.map(([, scene]) => scene)).toEqual(['See', 'Rewrite', 'Block', 'Slow']);
    for (const [, , matched, sent, dropped, lost] of rows) {
      expect(Number(lost)).toBe(0);
      expect(Number(sent) + Number(dropped)).toBe(Number(matched));
    }
    await expectNothingLeft(before);
  });

  test.each([
    ['SIGINT', 'at the start', 'netdivert demo', 130],
    ['SIGINT', 'while rewriting', '2. Rewrite', 130],
    ['SIGTERM', 'while blocking', 'request for ads.example dropped', 130],
    ['SIGKILL', 'while seeing', 'GET /tickets', null],
  ] as const)('%s %s leaves nothing behind', async (signal, _when, text, expected) => {
    const before = namespaces();
    const demo = start(['demo']);
    await demo.saw(text);
    demo.child.kill(signal);
    expect(await demo.ended()).toBe(expected);
    expect(demo.output.stderr).toBe('');
    await expectNothingLeft(before);
  });

  test('without privileges it runs over the bundled capture', async () => {
    const child = spawn('setpriv', [
      ...['--bounding-set=-all', '--inh-caps=-all', '--'],
      ...[process.execPath, COMMAND, 'demo'],
    ]);
    let stdout = '';
    child.stdout.setEncoding('utf8').on('data', (text) => {
      stdout += text;
    });
    const [code] = await once(child, 'close');
    expect(code).toBe(0);
    expect(stdout).toContain(
      'Not on live traffic: it needs root (CAP_NET_ADMIN and CAP_SYS_ADMIN)',
    );
    expect(stdout).toContain('would be dropped');
  });
});
