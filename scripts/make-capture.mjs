/**
 * Writes captures/demo.pcapng, the traffic of the demo as the client's interface sees it. Every byte
 * is made here; the same every time.
 *
 *   npm run build && node scripts/make-capture.mjs
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { HOSTS } from '../dist/cli/demo/hosts.js';
import { calcChecksums } from '../dist/packet/index.js';
import { LINK_TYPE, writeCapture } from '../dist/pcap/index.js';

const FILE = fileURLToPath(new URL('../captures/demo.pcapng', import.meta.url));
const CLIENT = [10, 77, 0, 1];
const SERVER = [10, 77, 0, 2];
const CLIENT_MAC = [2, 0, 0, 0, 0, 1];
const SERVER_MAC = [2, 0, 0, 0, 0, 2];
const START_NS = 1_767_225_600_000_000_000n; // 2026-01-01 00:00:00 UTC
const STEP_NS = 1_250_000n;
const TCP = { FIN: 1, SYN: 2, PSH: 8, ACK: 16 };
const PROTOCOL = { ICMP: 1, TCP: 6, UDP: 17 };

const uint16 = (value) => [(value >> 8) & 0xff, value & 0xff];
const uint32 = (value) => [...uint16(value >>> 16), ...uint16(value)];
const text = (value) => [...Buffer.from(value, 'latin1')];

const records = [];
let identification = 0;

/** Adds an Ethernet frame with an IPv4 packet; checksums are filled in. */
function add(outbound, protocol, segment, comment) {
  identification += 1;
  const [source, destination] = outbound ? [CLIENT, SERVER] : [SERVER, CLIENT];
  const [sourceMac, destinationMac] = outbound
    ? [CLIENT_MAC, SERVER_MAC]
    : [SERVER_MAC, CLIENT_MAC];
  const header = [0x45, 0, ...uint16(20 + segment.length), ...uint16(identification), 0x40, 0];
  const packet = Uint8Array.from([
    ...header,
    ...[64, protocol, 0, 0],
    ...[...source, ...destination],
    ...segment,
  ]);
  calcChecksums(packet);
  addFrame(outbound, [...destinationMac, ...sourceMac, 0x08, 0x00, ...packet], comment);
}

function addFrame(outbound, frame, comment) {
  records.push({
    bytes: Uint8Array.from(frame),
    timestampNs: START_NS + BigInt(records.length) * STEP_NS,
    linkType: LINK_TYPE.ETHERNET,
    interface: { name: 'veth0', description: 'client side of the demo' },
    direction: outbound ? 'outbound' : 'inbound',
    comments: comment === undefined ? [] : [comment],
  });
}

/** One HTTP exchange on a connection of its own. */
function addExchange(clientPort, serverPort, host, path) {
  const next = { client: 1000 * clientPort, server: 77_000_000 + 1000 * clientPort };
  const send = (outbound, flags, payload, comment) => {
    const [own, other] = outbound ? ['client', 'server'] : ['server', 'client'];
    const ports = outbound ? [clientPort, serverPort] : [serverPort, clientPort];
    add(
      outbound,
      PROTOCOL.TCP,
      [
        ...ports.flatMap(uint16),
        ...uint32(next[own]),
        ...uint32((flags & TCP.ACK) !== 0 ? next[other] : 0),
        ...[0x50, flags, ...uint16(64_240), 0, 0, 0, 0],
        ...payload,
      ],
      comment,
    );
    next[own] += payload.length + ((flags & (TCP.SYN | TCP.FIN)) !== 0 ? 1 : 0);
  };
  const body = HOSTS[host];
  send(true, TCP.SYN, [], `connection for ${host}`);
  send(false, TCP.SYN | TCP.ACK, []);
  send(true, TCP.ACK, []);
  send(
    true,
    TCP.PSH | TCP.ACK,
    text(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`),
  );
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}`;
  send(false, TCP.PSH | TCP.ACK, text(`${head}\r\nConnection: close\r\n\r\n${body}`));
  send(true, TCP.ACK, []);
  send(false, TCP.FIN | TCP.ACK, []);
  send(true, TCP.FIN | TCP.ACK, []);
  send(false, TCP.ACK, []);
}

/** A DNS question (RFC 1035) and its answer. */
function addLookup(host) {
  const name = [...host.split('.').flatMap((label) => [label.length, ...text(label)]), 0];
  const question = [...name, ...uint16(1), ...uint16(1)];
  const answer = [0xc0, 12, ...uint16(1), ...uint16(1), ...uint32(60), ...uint16(4), ...SERVER];
  const datagram = (ports, payload) => [
    ...ports.flatMap(uint16),
    ...[...uint16(8 + payload.length), 0, 0],
    ...payload,
  ];
  const header = (flags, answers) => [0x12, 0x34, ...uint16(flags), 0, 1, 0, answers, 0, 0, 0, 0];
  add(true, PROTOCOL.UDP, datagram([40_053, 53], [...header(0x0100, 0), ...question]));
  add(false, PROTOCOL.UDP, datagram([53, 40_053], [...header(0x8180, 1), ...question, ...answer]));
}

function addPing() {
  const echo = (type) => [type, 0, 0, 0, ...uint16(7), ...uint16(1), ...text('netdivert ping')];
  add(true, PROTOCOL.ICMP, echo(8));
  add(false, PROTOCOL.ICMP, echo(0));
}

function addArp() {
  const request = [0, 1, 8, 0, 6, 4, 0, 1, ...CLIENT_MAC, ...CLIENT, 0, 0, 0, 0, 0, 0, ...SERVER];
  addFrame(true, [255, 255, 255, 255, 255, 255, ...CLIENT_MAC, 0x08, 0x06, ...request]);
}

addArp();
addPing();
addLookup('weather.example');
addExchange(40_001, 80, 'weather.example', '/tomorrow');
addExchange(40_002, 80, 'shop.example', '/tickets');
addExchange(40_003, 80, 'ads.example', '/banner');
addExchange(40_004, 8080, 'shop.example', '/');

const chunks = [];
const writer = writeCapture({ write: (bytes) => void chunks.push(bytes) });
for (const record of records) await writer.write(record);
await writer.close();
mkdirSync(dirname(FILE), { recursive: true });
writeFileSync(FILE, Buffer.concat(chunks));
process.stderr.write(`${FILE}: ${records.length} packets\n`);
