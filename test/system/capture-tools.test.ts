import { once } from 'node:events';
import {
  createReadStream,
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { open } from '../../src/index.ts';
import {
  type CaptureRecord,
  LINK_TYPE,
  networkLayer,
  pcapBackend,
  readCapture,
  writeCapture,
  writeCaptureRing,
} from '../../src/pcap/index.ts';
import { ROOT } from '../helpers/command.ts';
import { createNetwork, type Network } from '../helpers/namespaces.ts';
import { tsharkPackets, wireshark } from '../helpers/tshark.ts';
import { build } from '../packet/build.ts';

const DEMO = join(ROOT, 'captures/demo.pcapng');
const TRAFFIC = 'icmp or icmp6 or udp port 7000';

let folder: string;
let net: Network;
/** Two interfaces, by dumpcap. */
let captured: string;

const path = (name: string): string => join(folder, name);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'netdivert-tools-'));
  net = await createNetwork();
  captured = path('dumpcap.pcapng');
  await capture('dumpcap', ['-q', '-f', TRAFFIC, '-i', 'veth0', '-i', 'lo', '-w', captured]);
});

afterAll(async () => {
  await net.close();
  rmSync(folder, { recursive: true });
});

/** Captures traffic on the veth pair and on loopback. */
async function capture(tool: string, args: readonly string[]): Promise<void> {
  const child = net.a.spawn(tool, args);
  const ended = once(child, 'exit');
  let talk = '';
  child.stderr?.on('data', (text) => {
    talk += text;
  });
  while (!/Capturing on|File:|listening on/.test(talk)) {
    if (child.exitCode !== null) throw new Error(`${tool} ended: ${talk}`);
    await sleep(20);
  }
  // The interfaces of a capture on several are opened one after the other.
  await sleep(300);
  await net.a.exec('ping', ['-c', '4', '-i', '0.01', '-s', '700', net.b.ipv4]);
  await net.a.exec('ping', ['-c', '3', '-i', '0.01', net.b.ipv6]);
  await net.a.exec('ping', ['-c', '3', '-i', '0.01', '127.0.0.1']);
  await sleep(700);
  child.kill('SIGINT');
  await ended;
}

async function readAll(file: string): Promise<CaptureRecord[]> {
  const records: CaptureRecord[] = [];
  for await (const record of readCapture(createReadStream(file))) records.push(record);
  return records;
}

/** Both readers see the same, packet by packet. */
async function expectSame(file: string): Promise<CaptureRecord[]> {
  const records = await readAll(file);
  const seen = tsharkPackets(file);
  expect(records.map(asTshark)).toEqual(
    seen.map(({ timestampNs, originalLength, bytes, interface: name, direction }) => ({
      timestampNs,
      originalLength,
      bytes,
      name,
      direction,
    })),
  );
  return records;
}

function asTshark(record: CaptureRecord): object {
  const { timestampNs, originalLength, bytes, direction, interface: from } = record;
  return {
    timestampNs,
    originalLength,
    bytes: Buffer.from(bytes).toString('hex'),
    name: from.name,
    direction,
  };
}

describe('files written by other tools are read as tshark reads them', () => {
  test('dumpcap on two interfaces', async () => {
    const records = await expectSame(captured);
    const names = new Set(records.map((record) => record.interface.name));
    expect(names).toEqual(new Set(['veth0', 'lo']));
    expect(records.length).toBeGreaterThanOrEqual(20);
    expect(records.every((record) => networkLayer(record) !== null)).toBe(true);
  });

  test('tshark on two interfaces of different link types', async () => {
    const file = path('tshark.pcapng');
    await capture('tshark', ['-q', '-f', TRAFFIC, '-i', 'any', '-i', 'veth0', '-w', file]);
    const records = await expectSame(file);
    const linkTypes = new Set(records.map((record) => record.linkType));
    expect(linkTypes.has(LINK_TYPE.ETHERNET)).toBe(true);
    expect(linkTypes.size).toBe(2);
    expect(records.every((record) => networkLayer(record) !== null)).toBe(true);
  });

  test.each(['micro', 'nano'])('tcpdump, %sseconds', async (precision) => {
    const file = path(`tcpdump-${precision}.pcap`);
    const options = ['-Z', 'root', '-U', '-i', 'any', '-w', file];
    await capture('tcpdump', [...options, `--time-stamp-precision=${precision}`, TRAFFIC]);
    const records = await expectSame(file);
    expect(records.length).toBeGreaterThanOrEqual(20);
  });

  test.each([
    ['pcap', ['-F', 'pcap']],
    ['nanosecond pcap', ['-F', 'nsecpcap']],
    ['cut to 60 bytes', ['-s', '60']],
    ['with a comment', ['-a', '1:a comment']],
    ['with other times', ['-t', '-0.000000003']],
    ['without the link header', ['-C', '14', '-L', '-T', 'rawip']],
  ])('editcap: %s', async (name, options) => {
    const file = path(`editcap-${name.replaceAll(' ', '-')}`);
    // One link type and one interface: the classic formats have no more.
    const single = path('single.pcapng');
    wireshark('tshark', ['-r', captured, '-Y', 'frame.interface_name == "veth0"', '-w', single]);
    wireshark('editcap', [...options, single, file]);
    const records = await expectSame(file);
    expect(records.length).toBeGreaterThanOrEqual(14);
    expect(records.every((record) => networkLayer(record) !== null)).toBe(true);
  });

  test('mergecap: several interfaces, resolutions and link types', async () => {
    const file = path('merged.pcapng');
    const raw = path('raw.pcapng');
    wireshark('editcap', ['-C', '14', '-L', '-T', 'rawip', '-F', 'nsecpcap', captured, raw]);
    wireshark('mergecap', ['-I', 'none', '-w', file, captured, DEMO, raw]);
    const records = await expectSame(file);
    expect(new Set(records.map((record) => record.interface.index)).size).toBeGreaterThan(3);
    expect(new Set(records.map((record) => record.linkType)).size).toBe(2);
  });

  test('two files behind one another are two sections', async () => {
    const file = path('sections.pcapng');
    writeFileSync(file, Buffer.concat([readFileSync(captured), readFileSync(DEMO)]));
    const records = await expectSame(file);
    expect(records).toHaveLength((await readAll(captured)).length + (await readAll(DEMO)).length);
  });
});

describe('files written here', () => {
  test('have no warnings, and every detail is where tshark looks for it', async () => {
    const file = path('written.pcapng');
    const writer = writeCapture(createWriteStream(file), {
      application: 'the test',
      hardware: 'x86_64',
      operatingSystem: 'Linux',
      comments: ['about the file'],
    });
    const packet = { bytes: build(4, 'udp', 5), timestampNs: 1_700_000_000_123_456_789n };
    const eth0 = { name: 'eth0', description: 'the first' };
    await writer.write({ ...packet, interface: eth0, direction: 'inbound', comments: ['ä', 'b'] });
    await writer.write({ ...packet, interface: eth0, direction: 'outbound', lostBefore: 7 });
    await writer.write({ ...packet, bytes: build(6, 'tcp', 9), originalLength: 1500 });
    await writer.write({ ...packet, processId: 42, processName: 'curl', dropReason: 'policy' });
    await writer.write({ ...packet, verdict: 'pass' });
    writer.statistics({ interface: eth0, received: 100, lost: 9 });
    await writer.close();
    await expectSame(file);
    expect(
      tsharkPackets(file).map(({ comments, verdict, lostBefore }) => [
        comments,
        verdict,
        lostBefore,
      ]),
    ).toEqual([
      ['ä;b', '', ''],
      ['', '', '7'],
      ['', '', ''],
      ['process: curl (42);dropped: policy', '2', ''],
      ['', '0', ''],
    ]);
    const about = wireshark('capinfos', [file]);
    for (const text of [
      'Capture hardware:    x86_64',
      'Capture oper-sys:    Linux',
      'Capture application: the test',
      'Capture comment:     about the file',
      'Description = the first',
      'Number of stat entries = 1',
      'Number of packets:   5',
    ]) {
      expect(about).toContain(text);
    }
  });

  test('every link type that is read', async () => {
    const file = path('link-types.pcapng');
    const writer = writeCapture(createWriteStream(file));
    const ip = build(4, 'udp', 1);
    const headers: readonly (readonly [number, string])[] = [
      [LINK_TYPE.NULL, '02000000'],
      [LINK_TYPE.ETHERNET, '0200000000010200000000020800'],
      [LINK_TYPE.ETHERNET, '02000000000102000000000288a8006481000065' + '0800'],
      [LINK_TYPE.PPP, 'ff030021'],
      [LINK_TYPE.RAW, ''],
      [LINK_TYPE.LOOP, '00000002'],
      [LINK_TYPE.LINUX_SLL, '000000010006020000000001' + '0000' + '0800'],
      [LINK_TYPE.IPV4, ''],
      [LINK_TYPE.LINUX_SLL2, '08000000000000020001040602000000000100' + '00'],
    ];
    for (const [linkType, header] of headers) {
      const bytes = Buffer.concat([Buffer.from(header, 'hex'), ip]);
      await writer.write({ bytes, linkType, timestampNs: 1n });
    }
    await writer.close();
    const records = await expectSame(file);
    expect(records.map((record) => networkLayer(record))).toEqual(headers.map(() => ip));
    const protocols = wireshark('tshark', ['-n', '-r', file, '-T', 'fields', '-e', 'ip.src']);
    expect(protocols.trim().split('\n')).toEqual(headers.map(() => '10.0.0.1'));
  });

  test('the files of a ring, each by itself and merged again', async () => {
    const records = await readAll(captured);
    const files: string[] = [];
    const writer = writeCaptureRing(
      ({ place }) => {
        files.push(path(`ring-${place}.pcapng`));
        return createWriteStream(path(`ring-${place}.pcapng`));
      },
      { maxPackets: 7 },
    );
    for (const record of records) await writer.write(record);
    await writer.close();
    expect(files).toHaveLength(Math.ceil(records.length / 7));
    for (const file of files) await expectSame(file);
    const merged = path('ring.pcapng');
    wireshark('mergecap', ['-w', merged, ...files]);
    expect((await readAll(merged)).map(asTshark)).toEqual(records.map(asTshark));
  });

  test('a handle over a real capture: what it drops is gone, the rest is byte for byte the same', async () => {
    const file = path('handled.pcapng');
    const backend = pcapBackend({
      read: createReadStream(captured),
      write: createWriteStream(file),
      localAddresses: [net.a.ipv4, net.a.ipv6],
    });
    const handle = await open('icmp and inbound and not loopback', { layer: 'network', backend });
    for await (const packet of handle) handle.drop(packet);
    await handle.close();
    const replies = `icmp.type == 0 and ip.dst == ${net.a.ipv4}`;
    const left = path('left.pcapng');
    wireshark('tshark', ['-r', captured, '-Y', `not (${replies})`, '-w', left]);
    expect(handle.stats()).toMatchObject({ received: 4, dropped: 4 });
    await expectSame(file);
    expect((await readAll(file)).map(asTshark)).toEqual((await readAll(left)).map(asTshark));
  });
});
