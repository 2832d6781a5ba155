/** Packet parsers, views and setters, checksums, and peeks into payloads. */

import { calcChecksums } from '../../../src/packet/checksum.ts';
import { hashPacket } from '../../../src/packet/hash.ts';
import { Packet } from '../../../src/packet/packet.ts';
import { parsePacket } from '../../../src/packet/parse.ts';
import { dnsMessage, dnsQuestions } from '../../../src/packet/peek/dns.ts';
import { httpRequest, isPartialHttpRequest } from '../../../src/packet/peek/http.ts';
import { readClientHello, tlsServerName } from '../../../src/packet/peek/tls.ts';
import { decrementTtl } from '../../../src/packet/ttl.ts';
import { text } from '../../helpers/build-packet.ts';
import { Random } from '../../helpers/random.ts';
import { randomPacket } from '../../helpers/random-packet.ts';
import type { Campaign } from '../campaign.ts';
import { expectInside, guard, mutateBytes } from '../mutate.ts';

/** A DNS query with a compressed name, an HTTP request, a client hello cut short. */
const PAYLOADS: readonly Uint8Array[] = [
  Uint8Array.from(
    Buffer.from(
      '123401000002000000000000037777770765786d61706c6503636f6d0000010001c00c001c0001',
      'hex',
    ),
  ),
  text('GET /path?q=1 HTTP/1.1\r\nHost: example.org\r\nUser-Agent: x\r\n\r\nbody'),
  text('POST http://example.org/ HTTP/1.0\r\nhost:\t a \r\n\r\n'),
  clientHello('example.org'),
];

function clientHello(name: string): Uint8Array {
  const host = text(name);
  const short = (value: number): number[] => [value >> 8, value & 0xff];
  const list = [0, ...short(host.length), ...host];
  const extension = [0, 0, ...short(list.length + 2), ...short(list.length), ...list];
  const body = [
    3,
    3,
    ...new Uint8Array(32),
    0,
    0,
    2,
    0x13,
    1,
    1,
    0,
    ...short(extension.length),
    ...extension,
  ];
  const hello = [1, 0, ...short(body.length), ...body];
  return Uint8Array.from([22, 3, 1, ...short(hello.length), ...hello]);
}

/** Every getter of an object, those of its class included. */
function readAll(view: object | null): Record<string, unknown> | null {
  if (view === null) return null;
  const names = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(view)));
  const getters = names.filter(([, { get }]) => get !== undefined).map(([name]) => name);
  return Object.fromEntries(getters.map((name) => [name, Reflect.get(view, name)]));
}

function readPacket(bytes: Uint8Array): unknown {
  const packet = new Packet(bytes, {});
  const { ip, ipv6, tcp, udp, icmp, icmpv6 } = packet;
  const views = [ip, ipv6, tcp, udp, icmp, icmpv6].map(readAll);
  return [views, packet.payload.slice(), parsePacket(bytes), hashPacket(bytes, 7n)];
}

/** Sets what a seed chooses, through every setter there is. */
function change(bytes: Uint8Array, seed: number): Uint8Array {
  const random = new Random(seed);
  const packet = new Packet(bytes, {});
  for (const view of [packet.ip, packet.ipv6, packet.tcp, packet.udp, packet.icmp, packet.icmpv6]) {
    if (view === null) continue;
    const names = Object.entries(Object.getOwnPropertyDescriptors(Object.getPrototypeOf(view)));
    for (const [name, { get, set }] of names) {
      if (set === undefined || get === undefined || random.chance(50)) continue;
      setValue(random, view, name);
    }
  }
  if (random.chance(50) && parsePacket(bytes) !== null)
    packet.payload = random.bytes(random.below(200));
  packet.finish();
  return packet.bytes.slice();
}

/** What it is, or another number where it is one. */
function setValue(random: Random, view: object, name: string): void {
  const value: unknown = Reflect.get(view, name);
  try {
    Reflect.set(view, name, typeof value === 'number' && random.chance(50) ? value ^ 1 : value);
  } catch (error) {
    // Values that the field cannot have are refused.
    if (!(error instanceof RangeError)) throw error;
  }
}

/** Headers and setters. */
export const PACKETS: Campaign = {
  name: 'packets',
  generate: (random) => mutateBytes(random, randomPacket(random)),
  check: (input) => {
    const bytes = input as Uint8Array;
    expectInside(bytes, readPacket);
    expectInside(bytes, (copy) => {
      calcChecksums(copy);
      decrementTtl(copy);
      return copy;
    });
    expectInside(bytes, (copy) => change(copy, bytes.length));
  },
};

/** DNS, HTTP and TLS in payloads. */
export const PEEKS: Campaign = {
  name: 'peeks',
  generate: (random) => mutateBytes(random, random.pick(PAYLOADS)),
  check: (input) => {
    const bytes = input as Uint8Array;
    expectInside(bytes, (copy) => [
      dnsMessage(copy),
      dnsMessage(copy, { tcp: true }),
      dnsQuestions(copy),
      httpRequest(copy),
      isPartialHttpRequest(copy),
      tlsServerName(copy),
      readClientHello(copy),
    ]);
    guard(bytes, 0).expectUntouched();
  },
};
