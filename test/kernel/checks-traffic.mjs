/** Checks with traffic through one handle. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { open } from '../../dist/index.js';
import { check, until } from './check.mjs';
import { contentSent, lengthsSent, receiveDatagrams, sendDatagrams, transfer } from './traffic.mjs';

const PORT = 5000;
const COUNT = 350;
const TCP_BYTES = 3 << 20;
const MASK = 0x55;

/** How many bytes wait is of no interest here: emulated processors read late. */
export const PATIENT = { queueTimeMs: 16_000 };

/** What is done with a datagram, by its length: all in one stream. */
const CHANGES = [
  { name: 'unchanged', expected: (payload) => [payload], apply: () => {} },
  {
    name: 'same length',
    expected: (payload) => [payload.map((byte) => byte ^ MASK)],
    apply: (packet) => {
      const { payload } = packet;
      for (let index = 0; index < payload.length; index++) payload[index] ^= MASK;
    },
  },
  {
    name: 'longer',
    expected: (payload) => [Buffer.concat([payload, Buffer.from('0123456789')])],
    apply: (packet) => {
      packet.payload = Buffer.concat([packet.payload, Buffer.from('0123456789')]);
    },
  },
  {
    name: 'shorter',
    expected: (payload) => [payload.subarray(0, payload.length >> 1)],
    apply: (packet) => {
      packet.payload = packet.payload.slice(0, packet.payload.length >> 1);
    },
  },
  { name: 'dropped', expected: () => [], apply: null },
];

const changeOf = (length) => CHANGES[length % CHANGES.length];

const sorted = (datagrams) => datagrams.map((bytes) => Buffer.from(bytes).toString('hex')).sort();

/** Sends every kind of datagram through a handle and compares what arrives. */
async function exchange(network, end, filter, family, options = {}) {
  const { client, server } = network;
  const address = server[family];
  const forwarded = lengthsSent(COUNT).filter((length) => changeOf(length).apply !== null);
  const received = await receiveDatagrams(server, address, PORT, forwarded.length);
  const handle = await open(filter, { ...PATIENT, ...options, namespace: end.path });
  const work = (async () => {
    for await (const packet of handle) {
      const { apply } = changeOf(packet.payload.length);
      apply?.(packet);
      if (apply) handle.send(packet);
      else handle.drop(packet);
    }
  })();
  await sendDatagrams(client, address, PORT, COUNT);
  const arrived = await received();
  await handle.close();
  await work;
  const expected = lengthsSent(COUNT).flatMap((length) =>
    changeOf(length).expected(contentSent(length)),
  );
  equal(arrived.length, expected.length, 'number of datagrams that arrived');
  deepEqual(sorted(arrived), sorted(expected), 'content of what arrived');
  checkBooks(handle.stats(), { received: COUNT, sent: forwarded.length });
}

function checkBooks(stats, expected) {
  const { received, sent, dropped, lost, queued, held } = stats;
  equal(received, sent + dropped + lost.total + queued + held, 'the books balance');
  deepEqual({ received, sent, lost: lost.total }, { ...expected, lost: 0 }, 'statistics');
}

async function rewriteStream(network, end, filter, family) {
  const { client, server } = network;
  const handle = await open(filter, { ...PATIENT, namespace: end.path });
  const work = (async () => {
    for await (const batch of handle.batches()) {
      for (const packet of batch) {
        const { payload } = packet;
        for (let index = 0; index < payload.length; index++) payload[index] ^= MASK;
      }
      batch.send();
    }
  })();
  const seen = await transfer(client, server, server[family], 7000, TCP_BYTES, MASK);
  await handle.close();
  await work;
  deepEqual(seen.received, seen.sent, 'length and hash of the stream');
  const { received, lost } = handle.stats();
  equal(lost.total, 0, 'packets lost');
  ok(received > TCP_BYTES / 1500, 'the stream came through the handle');
  return `${received} packets`;
}

async function seeLoopback(network, address) {
  const { client } = network;
  const count = 50;
  const received = await receiveDatagrams(client, address, PORT, count);
  const handle = await open(`udp.DstPort == ${PORT}`, { ...PATIENT, namespace: client.path });
  const flags = new Set();
  const work = (async () => {
    for await (const packet of handle) {
      const { outbound, loopback } = packet.address;
      flags.add(JSON.stringify({ outbound, loopback }));
      handle.send(packet);
    }
  })();
  await sendDatagrams(client, address, PORT, count);
  equal((await received()).length, count, 'datagrams that arrived');
  await handle.close();
  await work;
  deepEqual([...flags], ['{"outbound":true,"loopback":true}'], 'flags');
  checkBooks(handle.stats(), { received: count, sent: count });
}

/** Mode 'drop': the kernel drops by itself. */
async function dropInKernel(network) {
  const { client, server } = network;
  const filter = `inbound and udp.DstPort == ${PORT} and udp.PayloadLength > 700`;
  const handle = await open(filter, { mode: 'drop', namespace: server.path });
  const short = lengthsSent(COUNT).filter((length) => length <= 700);
  const received = await receiveDatagrams(server, server.ipv4, PORT, short.length);
  await sendDatagrams(client, server.ipv4, PORT, COUNT);
  const arrived = await received();
  deepEqual(sorted(arrived), sorted(short.map(contentSent)), 'what arrived');
  equal(handle.stats().dropped, COUNT - short.length, 'packets dropped');
  await handle.close();
}

/** Every packet goes on as it is and is put in once more as a new one. */
async function sendTwice(network, end, filter, family) {
  const { client, server } = network;
  const count = 50;
  const received = await receiveDatagrams(server, server[family], PORT, 2 * count);
  const handle = await open(filter, { ...PATIENT, namespace: end.path });
  const work = (async () => {
    for await (const packet of handle) {
      const copy = Uint8Array.from(packet.bytes);
      handle.send(packet);
      handle.send(copy, packet.address);
    }
  })();
  await sendDatagrams(client, server[family], PORT, count);
  const arrived = await received();
  await handle.close();
  await work;
  const expected = lengthsSent(count).map(contentSent);
  deepEqual(sorted(arrived), sorted([...expected, ...expected]), 'what arrived');
  equal(handle.stats().injected, count, 'packets put in');
}

/** Over 3,698 bytes an incoming packet takes another way in: a TAP device and a classifier. */
async function putInLarge({ client, server }) {
  const payload = contentSent(9000);
  const received = await receiveDatagrams(server, server.ipv4, PORT, 1);
  const handle = await open('false', { namespace: server.path });
  const links = JSON.parse(await server.run('ip', '-j', 'link', 'show', 'veth0'));
  const address = { outbound: false, interfaceIndex: links[0].ifindex };
  handle.send(makeDatagram(client.ipv4, server.ipv4, payload), address);
  const arrived = await received();
  await handle.close();
  deepEqual(sorted(arrived), sorted([payload]), 'what arrived');
}

/** An IPv4 packet with a UDP datagram; `send` computes the checksums. */
function makeDatagram(from, to, payload) {
  const packet = Buffer.alloc(28 + payload.length);
  packet.set([0x45, 0], 0);
  packet.writeUInt16BE(packet.length, 2);
  packet.set([64, 17], 8);
  packet.set([...from.split('.'), ...to.split('.')].map(Number), 12);
  packet.writeUInt16BE(PORT, 20);
  packet.writeUInt16BE(PORT, 22);
  packet.writeUInt16BE(8 + payload.length, 24);
  packet.set(payload, 28);
  return packet;
}

async function sniff(network, family) {
  const { client, server } = network;
  const received = await receiveDatagrams(server, server[family], PORT, COUNT);
  const options = { ...PATIENT, mode: 'sniff', namespace: server.path };
  const handle = await open(`inbound and udp.DstPort == ${PORT}`, options);
  const seen = [];
  const work = (async () => {
    for await (const packet of handle) seen.push(Buffer.from(packet.payload));
  })();
  await sendDatagrams(client, server[family], PORT, COUNT);
  const arrived = await received();
  await until(`${COUNT} packets sniffed`, () => seen.length >= COUNT);
  await handle.close();
  await work;
  const expected = sorted(lengthsSent(COUNT).map(contentSent));
  deepEqual(sorted(arrived), expected, 'what arrived');
  deepEqual(sorted(seen), expected, 'what was sniffed');
  equal(handle.stats().lost.total, 0, 'packets lost');
}

async function swapFilter(network) {
  const { client, server } = network;
  const options = { ...PATIENT, namespace: server.path };
  const handle = await open('inbound and udp.DstPort == 5001', options);
  const ports = [];
  const work = (async () => {
    for await (const packet of handle) {
      ports.push(packet.udp.dstPort);
      handle.send(packet);
    }
  })();
  for (const port of [5001, 5002]) {
    await handle.setFilter(`inbound and udp.DstPort == ${port}`);
    for (const to of [5001, 5002]) {
      const received = await receiveDatagrams(server, server.ipv4, to, 20);
      await sendDatagrams(client, server.ipv4, to, 20);
      equal((await received()).length, 20, `datagrams to port ${to}`);
    }
  }
  await handle.close();
  await work;
  const expected = [5001, 5002].flatMap((port) => Array(20).fill(port));
  deepEqual(ports, expected, 'ports of the packets received');
}

export async function checkTraffic(network) {
  const { client, router, server } = network;
  const udp = `udp.DstPort == ${PORT}`;
  const changes = CHANGES.map(({ name }) => name).join(', ');
  for (const family of ['ipv4', 'ipv6']) {
    await check(`${family} UDP outbound: ${changes}`, () =>
      exchange(network, client, `outbound and ${udp}`, family),
    );
    await check(`${family} UDP inbound: ${changes}`, () =>
      exchange(network, server, `inbound and ${udp}`, family),
    );
    await check(`${family} UDP forwarded: ${changes}`, () =>
      exchange(network, router, udp, family, { layer: 'forward' }),
    );
  }
  await check('ipv4 TCP inbound, every payload rewritten', () =>
    rewriteStream(network, server, 'inbound and tcp.DstPort == 7000', 'ipv4'),
  );
  await check('ipv6 TCP outbound, every payload rewritten', () =>
    rewriteStream(network, client, 'outbound and tcp.DstPort == 7000', 'ipv6'),
  );
  await check('IPv4 loopback, seen once, outbound', () => seeLoopback(network, '127.0.0.1'));
  await check('IPv6 loopback, seen once, outbound', () => seeLoopback(network, '::1'));
  for (const family of ['ipv4', 'ipv6']) {
    await check(`${family} sniffing copies, byte for byte`, () => sniff(network, family));
    await check(`${family} new packets put in, outbound`, () =>
      sendTwice(network, client, `outbound and ${udp}`, family),
    );
    await check(`${family} new packets put in, inbound`, () =>
      sendTwice(network, server, `inbound and ${udp}`, family),
    );
  }
  await check('a new packet of 9,028 bytes put in, inbound', () => putInLarge(network));
  await check("mode 'drop' drops in the kernel", () => dropInKernel(network));
  await check('setFilter swaps the filter', () => swapFilter(network));
}
