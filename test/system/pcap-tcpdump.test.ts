import { execFileSync, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, createWriteStream, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type CaptureRecord,
  captureDirection,
  LINK_TYPE,
  networkLayer,
  readCapture,
  writeCapture,
} from '../../src/pcap/index.ts';
import { ROOT } from '../helpers/command.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';

const PINGS = 3;
/** Requests and replies. */
const PACKETS = 2 * PINGS;

let folder: string;
let net: Network;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'netdivert-pcap-'));
  net = await createNetwork();
});

afterAll(async () => {
  await net.close();
  rmSync(folder, { recursive: true });
});

async function readFile(path: string): Promise<CaptureRecord[]> {
  const records: CaptureRecord[] = [];
  for await (const record of readCapture(createReadStream(path))) records.push(record);
  return records;
}

/** What tcpdump prints for a file: one line a packet, seconds since 1970 first. */
function tcpdumpLines(path: string): { lines: string[]; warnings: string[] } {
  const { status, stdout, stderr } = spawnSync('tcpdump', ['-nn', '-tt', '-r', path], {
    encoding: 'utf8',
  });
  expect(status, stderr).toBe(0);
  const warnings = stderr.split('\n').filter((line) => !/^$|^reading from file/.test(line));
  return { lines: stdout.trimEnd().split('\n'), warnings };
}

describe('files written by tcpdump', () => {
  test.each([
    ['Ethernet, microseconds', ['-i', 'veth0'], LINK_TYPE.ETHERNET, 1000n],
    [
      'Ethernet, nanoseconds',
      ['-i', 'veth0', '--time-stamp-precision=nano'],
      LINK_TYPE.ETHERNET,
      1n,
    ],
    ['Linux cooked', ['-i', 'any', '-y', 'LINUX_SLL'], LINK_TYPE.LINUX_SLL, 1000n],
    ['Linux cooked v2', ['-i', 'any', '-y', 'LINUX_SLL2'], LINK_TYPE.LINUX_SLL2, 1000n],
  ] as const)('%s', async (_name, options, linkType, resolutionNs) => {
    const path = join(folder, 'tcpdump.pcap');
    const tcpdump = net.a.spawn('tcpdump', [
      ...['-Z', 'root', '-w', path, '-c', String(PACKETS), ...options],
      'icmp or (icmp6 and (ip6[40] == 128 or ip6[40] == 129))',
    ]);
    const ended = once(tcpdump, 'exit');
    let talk = '';
    while (!talk.includes('listening on')) {
      const [text] = await once(tcpdump.stderr ?? tcpdump, 'data');
      talk += text;
    }
    const address = linkType === LINK_TYPE.ETHERNET ? net.b.ipv4 : net.b.ipv6;
    await net.a.exec('ping', ['-c', String(PINGS), '-i', '0.01', '-s', '57', address]);
    await ended;

    const records = await readFile(path);
    const { lines } = tcpdumpLines(path);
    expect(records.map((record) => record.linkType)).toEqual(Array(PACKETS).fill(linkType));
    expect(records.map(({ timestampNs }) => toSeconds(timestampNs / 1000n))).toEqual(
      lines.map((line) => line.split(' ')[0]),
    );
    expect(records.every(({ timestampNs }) => timestampNs % resolutionNs === 0n)).toBe(true);
    const packets = records.map((record) => networkLayer(record));
    const headers = linkType === LINK_TYPE.ETHERNET ? 20 : 40;
    expect(packets.map((packet) => packet?.length)).toEqual(Array(PACKETS).fill(headers + 8 + 57));
    if (linkType !== LINK_TYPE.ETHERNET) {
      const directions = records.map((record) => captureDirection(record));
      expect(directions).toEqual(Array(PINGS).fill(['outbound', 'inbound']).flat());
    }
  });
});

function toSeconds(microseconds: bigint): string {
  return `${microseconds / 1_000_000n}.${String(microseconds % 1_000_000n).padStart(6, '0')}`;
}

describe('files read by tcpdump', () => {
  test('the bundled capture has no warnings and all its packets', async () => {
    const path = join(ROOT, 'captures/demo.pcapng');
    const { lines, warnings } = tcpdumpLines(path);
    expect(warnings).toEqual([]);
    const records = await readFile(path);
    expect(lines).toHaveLength(records.length);
    expect(records.map(({ timestampNs }) => toSeconds(timestampNs / 1000n))).toEqual(
      lines.map((line) => line.split(' ')[0]),
    );
    const checks = execFileSync('tcpdump', ['-nn', '-v', '-r', path], {
      encoding: 'utf8',
      stdio: 'pipe',
    });
    expect(checks).not.toMatch(/bad|incorrect|wrong/);
  });

  test('raw IP packets with directions and comments', async () => {
    const source = await readFile(join(ROOT, 'captures/demo.pcapng'));
    const packets = source.map(networkLayer).filter((packet) => packet !== null);
    const path = join(folder, 'written.pcapng');
    const writer = writeCapture(createWriteStream(path));
    for (const [index, bytes] of packets.entries()) {
      await writer.write({
        bytes,
        timestampNs: 1_700_000_000_123_456_789n + BigInt(index),
        interface: { name: 'eth0' },
        direction: index % 2 === 0 ? 'inbound' : 'outbound',
        processId: index,
        comments: ['a comment'],
      });
    }
    await writer.close();
    const { lines, warnings } = tcpdumpLines(path);
    expect(warnings).toEqual([]);
    expect(lines).toHaveLength(packets.length);
    expect(lines[0]).toMatch(
      /^1700000000\.123456 IP 10\.77\.0\.1 > 10\.77\.0\.2: ICMP echo request/,
    );
  });

  test('two interfaces', async () => {
    const source = await readFile(join(ROOT, 'captures/demo.pcapng'));
    const path = join(folder, 'two.pcapng');
    const writer = writeCapture(createWriteStream(path));
    for (const [index, { bytes, timestampNs, linkType }] of source.entries()) {
      const name = index % 2 === 0 ? 'eth0' : 'wlan0';
      await writer.write({ bytes, timestampNs, linkType, interface: { name } });
    }
    await writer.close();
    const { lines, warnings } = tcpdumpLines(path);
    expect({ count: lines.length, warnings }).toEqual({ count: source.length, warnings: [] });
  });
});
