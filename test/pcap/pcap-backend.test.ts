import { createReadStream } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type NetworkHandle, type OpenOptions, open, Packet } from '../../src/index.ts';
import {
  type CapturePacket,
  type CaptureRecord,
  networkLayer,
  type PcapBackendOptions,
  pcapBackend,
} from '../../src/pcap/index.ts';
import { build } from '../packet/build.ts';
import { captureOf, chunked, hex, type MemorySink, memory, readAll } from './helpers.ts';

const ETHERNET = hex('020000000001 020000000002 0800');
const ARP = hex('020000000001 020000000002 0806 0001 0800 06 04 0001');
const ETH0 = { name: 'eth0', description: null, snapLength: 0 };

/** A datagram whose payload has `length` bytes, in an Ethernet frame, at second `length`. */
function frame(length: number): CapturePacket {
  return {
    bytes: Buffer.concat([ETHERNET, build(4, 'udp', length)]),
    timestampNs: BigInt(length) * 1_000_000_000n + 7n,
    linkType: 1,
    interface: ETH0,
    direction: 'inbound',
  };
}

const frames = (from: number, to: number): CapturePacket[] =>
  Array.from({ length: to - from + 1 }, (_, index) => frame(from + index));

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Lengths of the payloads of a file's datagrams. */
function payloads(records: readonly CaptureRecord[]): number[] {
  return records.map((record) => new Packet(networkLayer(record) ?? hex(''), {}).payload.length);
}

interface Run {
  readonly handle: NetworkHandle;
  readonly output: MemorySink;
  /** What is in the output, once the handle is closed. */
  written(): Promise<CaptureRecord[]>;
}

async function run(
  read: PcapBackendOptions['read'],
  filter = 'true',
  options: OpenOptions = {},
  backendOptions: Partial<PcapBackendOptions> = {},
): Promise<Run> {
  const output = memory();
  const backend = pcapBackend({ read, write: output, ...backendOptions });
  const handle = await open(filter, { ...options, layer: 'network', backend });
  const written = async (): Promise<CaptureRecord[]> => {
    const { records, error } = await readAll(output.bytes());
    expect(error).toBeNull();
    return records;
  };
  return { handle, output, written };
}

describe('packets through a handle', () => {
  test('matching ones are received, others are written as they are, all in order', async () => {
    const file = await captureOf([
      ...frames(1, 10),
      { ...frame(11), bytes: ARP },
      ...frames(12, 20),
    ]);
    const { handle, written } = await run(file, 'udp');
    const seen: number[] = [];
    for await (const packet of handle) {
      seen.push(packet.payload.length);
      handle.send(packet);
    }
    await handle.close();
    expect(seen).toEqual([...range(1, 10), ...range(12, 20)]);
    expect(await written()).toEqual((await readAll(file)).records);
    expect(handle.stats()).toMatchObject({ offered: 19, matched: 19, received: 19, sent: 19 });
  });

  test.each(['one by one', 'in batches'] as const)('sent %s, the order stays', async (how) => {
    const file = await captureOf(frames(1, 300));
    const { handle, written } = await run(
      chunked(file, 1000),
      'udp.PayloadLength > 100 or udp.PayloadLength < 20',
    );
    if (how === 'one by one') for await (const packet of handle) handle.send(packet);
    else for await (const batch of handle.batches(16)) batch.send();
    await handle.close();
    expect(payloads(await written())).toEqual(range(1, 300));
    expect(handle.stats()).toMatchObject({ offered: 300, received: 219, sent: 219, changed: 0 });
  });

  test('dropped and undecided ones are not written', async () => {
    const { handle, written } = await run(await captureOf(frames(1, 9)), 'udp.PayloadLength != 2');
    for await (const packet of handle) {
      if (packet.payload.length % 3 === 0) handle.drop(packet);
      else if (packet.payload.length !== 4) handle.send(packet);
    }
    await handle.close();
    expect(payloads(await written())).toEqual([1, 2, 5, 7, 8]);
    expect(handle.stats()).toMatchObject({
      received: 8,
      sent: 4,
      dropped: 4,
      unhandled: 1,
      held: 0,
    });
  });

  test('keepDropped writes them with their fate', async () => {
    const { handle, written } = await run(
      await captureOf(frames(1, 3)),
      'true',
      {},
      { keepDropped: true },
    );
    for await (const packet of handle) {
      if (packet.payload.length === 2) handle.drop(packet);
      else handle.send(packet);
    }
    await handle.close();
    expect(await written()).toMatchObject([
      { verdict: null },
      { verdict: 'drop', comments: ['dropped: by a handle'] },
      { verdict: null },
    ]);
  });

  test('changed ones keep link header, time, interface and direction', async () => {
    const { handle, written } = await run(await captureOf(frames(5, 5)));
    for await (const packet of handle) {
      packet.payload = hex('0102030405060708090a');
      handle.send(packet);
    }
    await handle.close();
    const [record] = await written();
    expect(record).toMatchObject({
      linkType: 1,
      timestampNs: 5_000_000_007n,
      direction: 'inbound',
      originalLength: 14 + 28 + 10,
      interface: { name: 'eth0' },
    });
    expect(record?.bytes.subarray(0, 14)).toEqual(ETHERNET);
    const packet = new Packet(record?.bytes.slice(14) ?? hex(''), {});
    expect(packet.payload).toEqual(hex('0102030405060708090a'));
    expect(packet.ip?.totalLength).toBe(38);
  });

  test('the length in a PPPoE header follows', async () => {
    const session = hex('020000000001 020000000002 8864 11 00 0001 0021 0021');
    const bytes = Buffer.concat([session, build(4, 'udp', 3)]);
    const { handle, written } = await run(await captureOf([{ ...frame(1), bytes }]));
    for await (const packet of handle) {
      packet.payload = new Uint8Array(300);
      handle.send(packet);
    }
    await handle.close();
    const [record] = await written();
    expect(record?.bytes.subarray(18, 20)).toEqual(hex('014a'));
  });

  test('injected ones are written at the time of the packet before, as raw IP', async () => {
    const { handle, written } = await run(await captureOf(frames(1, 2)));
    for await (const packet of handle) {
      handle.send(packet);
      const { interfaceIndex } = packet.address;
      handle.send(build(4, 'udp', packet.payload.length + 100), { outbound: true, interfaceIndex });
    }
    await handle.close();
    expect(payloads(await written())).toEqual([1, 101, 2, 102]);
    expect((await written())[1]).toMatchObject({
      linkType: 101,
      direction: 'outbound',
      timestampNs: 1_000_000_007n,
      interface: { name: 'eth0' },
    });
    expect(handle.stats()).toMatchObject({ sent: 2, injected: 2 });
  });

  test.each([
    ['an array', (file: Uint8Array) => file],
    ['a Buffer', (file: Uint8Array) => Buffer.from(file.buffer)],
  ])(
    'what the program writes into a packet does not reach %s that was given',
    async (_name, as) => {
      const file = as(await captureOf(frames(1, 3)));
      const before = Buffer.from(file);
      const { handle } = await run(file);
      for await (const packet of handle) {
        packet.bytes.fill(0xff, 20);
        handle.send(packet);
      }
      await handle.close();
      expect(Buffer.compare(file, before)).toBe(0);
    },
  );

  test('a packet that was cut can be sent back, not changed', async () => {
    const { handle, written } = await run(
      await captureOf([
        { ...frame(100), bytes: frame(100).bytes.slice(0, 60), originalLength: 142 },
      ]),
    );
    const packet = await handle.receive();
    expect([packet?.length, packet?.originalLength]).toEqual([46, 128]);
    if (!packet) throw new Error('nothing was received');
    packet.payload = hex('01');
    expect(() => handle.send(packet)).toThrow(
      expect.objectContaining({ code: 'insufficient-buffer' }),
    );
    handle.drop(packet);
    await handle.close();
    expect(await written()).toEqual([]);
  });
});

describe('modes', () => {
  test('sniff: everything goes on, copies are received, sends put in another', async () => {
    const file = await captureOf(frames(1, 6));
    const { handle, written } = await run(file, 'udp.PayloadLength > 3', {
      mode: 'sniff',
      snapLength: 40,
    });
    const seen: (readonly [number, number, boolean])[] = [];
    for await (const packet of handle) {
      seen.push([packet.length, packet.originalLength, packet.address.sniffed]);
      if (packet.length === packet.originalLength) handle.send(packet);
    }
    await handle.close();
    expect(seen).toEqual([
      [32, 32, true],
      [33, 33, true],
      [34, 34, true],
    ]);
    expect(payloads(await written())).toEqual([1, 2, 3, 4, 4, 5, 5, 6, 6]);
    expect(handle.stats()).toMatchObject({
      received: 3,
      delivered: 3,
      injected: 3,
      sent: 0,
      dropped: 0,
    });
  });

  test('sniff: packets are cut to snapLength', async () => {
    const { handle } = await run(await captureOf(frames(50, 50)), 'true', {
      mode: 'sniff',
      snapLength: 40,
    });
    const packet = await handle.receive();
    expect([packet?.length, packet?.originalLength]).toEqual([40, 78]);
    await handle.close();
  });

  test('drop: the file goes by on its own', async () => {
    const output = memory();
    const read = chunked(await captureOf(frames(1, 5000)), 10_000);
    const backend = pcapBackend({ read, write: output });
    const handle = await open('udp.PayloadLength <= 4000', {
      mode: 'drop',
      layer: 'network',
      backend,
    });
    await backend.finished;
    await handle.close();
    expect(payloads((await readAll(output.bytes())).records)).toEqual(range(4001, 5000));
    expect(handle.stats()).toMatchObject({ received: 4000, dropped: 4000, sent: 0 });
  });

  test("access 'send': everything goes by, new ones are put in", async () => {
    const output = memory();
    const backend = pcapBackend({ read: await captureOf(frames(1, 3)), write: output });
    const handle = await open('true', { access: 'send', layer: 'network', backend });
    await backend.finished;
    handle.send(build(4, 'udp', 50), { outbound: true });
    await handle.close();
    expect(payloads((await readAll(output.bytes())).records)).toEqual([1, 2, 3, 50]);
  });
});

describe('what packets say', () => {
  const ADDRESSES = [
    ['as the file says', { direction: 'inbound' }, {}, { outbound: false, loopback: false }],
    ['outbound when nothing says', {}, {}, { outbound: true, loopback: false }],
    ['the default when nothing says', {}, { direction: 'inbound' }, { outbound: false }],
    [
      'from a local address',
      {},
      { localAddresses: ['10.0.0.1'] },
      { outbound: true, loopback: false },
    ],
    [
      'to a local network',
      {},
      { localAddresses: ['10.0.0.2/31'] },
      { outbound: false, loopback: false },
    ],
    [
      'from somewhere else',
      {},
      { localAddresses: ['fd00::/8'] },
      { outbound: false, loopback: false },
    ],
    [
      'between local ones',
      { direction: 'inbound' },
      { localAddresses: ['10.0.0.0/8'] },
      { outbound: true, loopback: true },
    ],
    [
      'on lo',
      { interface: { name: 'lo' }, direction: 'inbound' },
      {},
      { outbound: true, loopback: true },
    ],
  ] as const satisfies readonly (readonly [string, object, Partial<PcapBackendOptions>, object])[];

  test.each(ADDRESSES)('direction: %s', async (_name, packet, options, expected) => {
    const file = await captureOf([
      { bytes: build(4, 'tcp', 3), timestampNs: 1_700_000_000_000_000_001n, ...packet },
    ]);
    const { handle, written } = await run(file, 'true', {}, options);
    const received = await handle.receive();
    expect(received?.address).toMatchObject({
      ...expected,
      sniffed: false,
      impostor: false,
      ipv6: false,
      ipChecksum: true,
      tcpChecksum: true,
      interfaceIndex: 1,
      timestamp: 1_700_000_000_000_000_001n,
    });
    if (received) handle.send(received);
    await handle.close();
    expect((await written())[0]?.direction).toBe(expected.outbound ? 'outbound' : 'inbound');
  });

  test.each([
    ['2001:db8::1', true],
    ['2001:db8::/32', true],
    ['2001:db8::2', false],
  ])('local address %s', async (address, outbound) => {
    const bytes = build(6, 'udp', 1);
    const { handle } = await run(
      await captureOf([{ bytes, timestampNs: 0n }]),
      'true',
      {},
      {
        localAddresses: [address],
      },
    );
    expect((await handle.receive())?.address).toMatchObject({ ipv6: true, outbound });
    await handle.close();
  });

  test.each(['10.0.0.256', '10.0.0.0/33', 'fd00::/129', 'eth0', ''])(
    'a local address that is none: %j',
    (address) => {
      expect(() => pcapBackend({ read: hex(''), localAddresses: [address] })).toThrow(
        expect.objectContaining({ code: 'invalid-parameter' }),
      );
    },
  );

  test('filters see interface, direction and time', async () => {
    const file = await captureOf([
      { ...frame(1), direction: 'outbound' },
      { ...frame(2), interface: { name: 'eth1' } },
      frame(3),
      { ...frame(4), interface: { name: 'eth1' } },
    ]);
    const { handle } = await run(file, 'inbound and ifIdx == 2 and timestamp > 3000000000');
    const seen: number[] = [];
    for await (const packet of handle) seen.push(packet.payload.length);
    await handle.close();
    expect(seen).toEqual([4]);
  });

  test('processes, where the file has them', async () => {
    const file = await captureOf([
      { ...frame(1), processId: 42, processName: 'curl' },
      { ...frame(2), processId: 43, processName: 'wget' },
      frame(3),
    ]);
    const { handle, written } = await run(file, 'processName == "curl" or udp.PayloadLength == 3', {
      dialect: 'extended',
      attribution: true,
    });
    const seen: unknown[] = [];
    for await (const packet of handle) {
      seen.push([packet.payload.length, packet.process?.pid, packet.process?.name]);
      handle.send(packet);
    }
    await handle.close();
    expect(seen).toEqual([
      [1, 42, 'curl'],
      [3, undefined, undefined],
    ]);
    expect(await written()).toEqual((await readAll(file)).records);
  });

  test('a checksum left to the card is computed when the packet is changed', async () => {
    const bytes = build(4, 'udp', 10);
    bytes.set([0x12, 0x34], 26);
    const { handle, written } = await run(await captureOf([{ bytes, timestampNs: 1n }]));
    const packet = await handle.receive();
    expect(packet?.address).toMatchObject({ udpChecksum: false });
    if (!packet) throw new Error('nothing was received');
    packet.payload = hex('aabb');
    handle.send(packet);
    await handle.close();
    const check = await run(await captureOf(await written()));
    expect((await check.handle.receive())?.address).toMatchObject({ udpChecksum: true });
    await check.handle.close();
  });
});

describe('several handles', () => {
  test('meet packets by priority, changed ones too, injected ones below only', async () => {
    const output = memory();
    const backend = pcapBackend({ read: await captureOf(frames(1, 40)), write: output });
    const seen: string[] = [];
    const handles = await Promise.all(
      [-5, 100, 7].map(async (priority) => {
        const handle = await open('true', { priority, layer: 'network', backend });
        return { priority, handle };
      }),
    );
    await Promise.all(
      handles.map(async ({ priority, handle }) => {
        for await (const packet of handle) {
          const { length } = packet.payload;
          seen.push(`${priority}:${length}${packet.address.impostor ? ' impostor' : ''}`);
          if (priority === 7 && length === 21) handle.send(build(4, 'udp', 500), {});
          packet.payload = new Uint8Array(length + 1);
          handle.send(packet);
        }
      }),
    );
    for (const { handle } of handles) await handle.close();
    const { records } = await readAll(output.bytes());
    expect(payloads(records)).toEqual([...range(4, 22), 501, ...range(23, 43)]);
    expect(seen.filter((entry) => entry.startsWith('100:'))).toEqual(
      range(1, 40).map((n) => `100:${n}`),
    );
    expect(seen.filter((entry) => entry.includes('impostor'))).toEqual(['-5:500 impostor']);
    expect(seen).toHaveLength(121);
  });

  test('a sniffing one above, a dropping one between, each with its own filter', async () => {
    const output = memory();
    const backend = pcapBackend({ read: await captureOf(frames(1, 12)), write: output });
    const layer = 'network';
    const sniffer = await open('true', { priority: 9, mode: 'sniff', layer, backend });
    const dropper = await open('udp.PayloadLength < 4', {
      priority: 5,
      mode: 'drop',
      layer,
      backend,
    });
    const diverter = await open('udp.PayloadLength < 7', { layer, backend });
    const sniffed: number[] = [];
    const diverted: number[] = [];
    await Promise.all([
      (async () => {
        for await (const packet of sniffer) sniffed.push(packet.payload.length);
      })(),
      (async () => {
        for await (const batch of diverter.batches()) {
          for (const packet of batch) diverted.push(packet.payload.length);
          batch.send();
        }
      })(),
    ]);
    for (const handle of [sniffer, dropper, diverter]) await handle.close();
    expect(sniffed).toEqual(range(1, 12));
    expect(diverted).toEqual([4, 5, 6]);
    // The sniffing program asks for more while the other one still has its packets.
    const through = payloads((await readAll(output.bytes())).records);
    expect(through.sort((a, b) => a - b)).toEqual(range(4, 12));
  });

  test('the lower one ends when nothing of the higher one can come any more', async () => {
    const backend = pcapBackend({ read: await captureOf(frames(1, 1)) });
    const upper = await open('true', { priority: 1, layer: 'network', backend });
    const lower = await open('true', { layer: 'network', backend });
    const packet = await upper.receive();
    expect(await upper.receive()).toBeNull();
    const waiting = lower.receive();
    await sleep(5);
    if (packet) upper.send(packet);
    expect((await waiting)?.payload).toHaveLength(1);
    expect(await lower.receive()).toBeNull();
    await upper.close();
    await lower.close();
  });

  test('a closed capture cannot be opened again', async () => {
    const backend = pcapBackend({ read: await captureOf([]) });
    await (await open('true', { backend })).close();
    await expect(open('true', { backend })).rejects.toMatchObject({
      code: 'closed',
      hint: expect.stringContaining('new pcapBackend'),
    });
  });

  test('there are no events in a capture', async () => {
    const backend = pcapBackend({ read: await captureOf([]) });
    await expect(open('true', { layer: 'flow', mode: 'sniff', backend })).rejects.toMatchObject({
      code: 'unsupported',
    });
  });
});

describe('the end', () => {
  test('of a truncated file: everything before it, then the error; the output is complete', async () => {
    const file = await captureOf(frames(1, 10));
    const { handle, written } = await run(file.subarray(0, file.length - 100));
    const held: Packet[] = [];
    const loop = (async () => {
      for await (const packet of handle) {
        held.push(packet.retain());
        if (held.length > 3) handle.send(held.shift() as Packet);
      }
    })();
    await expect(loop).rejects.toMatchObject({ code: 'bad-capture' });
    // What the program still has can be sent.
    for (const packet of held) handle.send(packet);
    await handle.close();
    expect(payloads(await written())).toEqual(range(1, handle.stats().received));
    expect(handle.stats()).toMatchObject({ received: 9, sent: 9 });
  });

  test('of a file that is none', async () => {
    const { handle } = await run(createReadStream('/nonexistent'));
    await expect(handle.receive()).rejects.toMatchObject({ code: 'ENOENT' });
    await handle.close();
  });

  test('of a truncated file that goes by: finished and close tell', async () => {
    const file = await captureOf(frames(1, 10));
    const backend = pcapBackend({ read: file.subarray(0, file.length - 100) });
    const handle = await open('true', { mode: 'drop', layer: 'network', backend });
    await expect(backend.finished).rejects.toMatchObject({ code: 'bad-capture' });
    await expect(handle.close()).rejects.toMatchObject({ code: 'bad-capture' });
    await handle.close();
  });

  test('by a full disk: the loop ends with the reason', async () => {
    const file = await captureOf(frames(1, 4000));
    const write = new Writable({
      write: (_bytes, _encoding, done) => done(new Error('disk full')),
    });
    const { handle } = await run(file, 'true', {}, { write });
    const loop = (async () => {
      for await (const packet of handle) handle.send(packet);
    })();
    await expect(loop).rejects.toThrow('disk full');
    await handle.close();
  });

  test('by a full disk that only close sees', async () => {
    const write = new Writable({
      write: (_bytes, _encoding, done) => done(new Error('disk full')),
    });
    const { handle } = await run(await captureOf(frames(1, 2)), 'true', {}, { write });
    const packet = await handle.receive();
    if (packet) handle.send(packet);
    await expect(handle.close()).rejects.toThrow('disk full');
  });

  test('by close in the middle: the rest is neither read nor written', async () => {
    const { handle, written } = await run(chunked(await captureOf(frames(1, 50)), 100));
    for await (const packet of handle) {
      handle.send(packet);
      if (packet.payload.length === 5) break;
    }
    await handle.close();
    expect(payloads(await written())).toEqual(range(1, 5));
  });

  test('by shutdown: the rest goes by', async () => {
    const output = memory();
    const backend = pcapBackend({ read: await captureOf(frames(1, 50)), write: output });
    const handle = await open('true', { layer: 'network', backend });
    handle.drop((await handle.receive()) as Packet);
    handle.shutdown('receive');
    expect(await handle.receive()).toBeNull();
    await backend.finished;
    await handle.close();
    expect(payloads((await readAll(output.bytes())).records)).toEqual(range(2, 50));
  });

  test.each(['close', 'abort'] as const)('by %s while the input is silent', async (how) => {
    const controller = new AbortController();
    const read = new Readable({ read: () => {} });
    read.push((await captureOf(frames(1, 1))).subarray(0, 100));
    const { handle } = await run(read, 'true', { signal: controller.signal });
    const waiting = handle.receive();
    await sleep(5);
    if (how === 'abort') controller.abort();
    else await handle.close();
    expect(await waiting).toBeNull();
    await handle.close();
    expect(read.destroyed).toBe(true);
  });
});

describe('memory', () => {
  test('reading waits for the program and for the output', async () => {
    const block = await captureOf(frames(1, 200));
    let chunks = 0;
    async function* endless(): AsyncGenerator<Uint8Array, void> {
      for (;;) {
        chunks++;
        yield block;
      }
    }
    let writes = 0;
    const write = new Writable({
      highWaterMark: 1,
      write: (_bytes, _encoding, done) => {
        writes++;
        if (writes < 3) done();
      },
    });
    const { handle } = await run(endless(), 'true', {}, { write });
    await sleep(20);
    expect(chunks).toBe(0);
    let received = 0;
    const loop = (async () => {
      for await (const packet of handle) {
        received++;
        handle.send(packet);
      }
    })();
    for (let before = -1; before !== received; await sleep(50)) before = received;
    expect(received).toBeGreaterThan(200);
    expect(chunks).toBeLessThan(100);
    write.destroy();
    await expect(loop).rejects.toThrow('closed before');
    await handle.close();
  });

  test('time loses nothing', async () => {
    const { handle, written } = await run(await captureOf(frames(1, 2)), 'true', {
      queueTimeMs: 100,
    });
    for await (const packet of handle) {
      await sleep(400);
      handle.send(packet);
    }
    await handle.close();
    expect(await written()).toHaveLength(2);
    expect(handle.stats()).toMatchObject({ sent: 2, lost: { total: 0 } });
  });
});

test('setFilter counts from the next packet on', async () => {
  const { handle, written } = await run(await captureOf(frames(1, 10)));
  const seen: number[] = [];
  for await (const packet of handle) {
    seen.push(packet.payload.length);
    if (packet.payload.length === 3) await handle.setFilter('udp.PayloadLength > 8');
    handle.drop(packet);
  }
  await handle.close();
  expect(seen).toEqual([1, 2, 3, 9, 10]);
  expect(payloads(await written())).toEqual(range(4, 8));
});
