import { describe, expect, test } from 'vitest';
import { Packet } from '../../src/packet/index.ts';
import { TIMEOUTS_MS } from '../../src/recipes/redirect/connection.ts';
import { ConnectionTable } from '../../src/recipes/redirect/connection-table.ts';
import { keyOf, parseKey, withPort } from '../../src/recipes/redirect/endpoint-key.ts';
import { limitSegmentSize } from '../../src/recipes/redirect/segment-size.ts';
import { Target } from '../../src/recipes/redirect/target.ts';
import { Translation } from '../../src/recipes/redirect/translation.ts';
import { ipv4, ipv6, tcp } from '../helpers/build-packet.ts';

const FIN = 0x01;
const SYN = 0x02;
const RST = 0x04;
const ACK = 0x10;

const CLIENT = { ipv4: '10.0.0.1', ipv6: '2001:db8::1' } as const;
const SERVER = { ipv4: '192.0.2.7', ipv6: '2001:db8:ffff::7' } as const;
const LO = { ipv4: '127.0.0.1', ipv6: '::1' } as const;
const FAMILIES = ['ipv4', 'ipv6'] as const;
type Family = (typeof FAMILIES)[number];
interface End {
  readonly address: string;
  readonly port: number;
}

function segment(family: Family, from: End, to: End, flags: number, options?: Uint8Array): Packet {
  const header = tcp({
    sourcePort: from.port,
    destinationPort: to.port,
    flags,
    ...(options ? { options } : {}),
  });
  const addresses = { source: from.address, destination: to.address };
  const bytes = family === 'ipv4' ? ipv4(addresses, header) : ipv6(addresses, header);
  return new Packet(bytes, { outbound: true });
}

const describeEnds = (packet: Packet): string => {
  const ip = packet.ip ?? packet.ipv6;
  return `${ip?.srcAddr} ${packet.tcp?.srcPort} > ${ip?.dstAddr} ${packet.tcp?.dstPort}`;
};

describe('keys of endpoints', () => {
  test.each([
    ['ipv4', '10.0.0.1', 51234],
    ['ipv4', '255.255.255.255', 65535],
    ['ipv6', '2001:db8::1', 1],
    ['ipv6', 'fe80::ffff:ffff', 65535],
  ] as const)('of %s %s are the same from bytes and text', (family, address, port) => {
    const end = { address, port };
    const { memory, offset } = segment(family, end, end, ACK);
    const key = parseKey(end);
    expect(keyOf(memory, offset, 'SOURCE', port)).toBe(key);
    expect(keyOf(memory, offset, 'DESTINATION', port)).toBe(key);
    expect(withPort(key ?? 0, 7)).toBe(parseKey({ address, port: 7 }));
  });

  test('mapped addresses are IPv4, zones do not count, names are none', () => {
    const plain = parseKey({ address: '10.0.0.1', port: 80 });
    expect(parseKey({ address: '::ffff:10.0.0.1', port: 80 })).toBe(plain);
    expect(parseKey({ address: 'fe80::1%eth0', port: 80 })).toBe(
      parseKey({ address: 'fe80::1', port: 80 }),
    );
    expect(parseKey({ address: 'a.example', port: 80 })).toBeNull();
  });
});

describe('the table', () => {
  const add = (table: ConnectionTable, port: number, to: number, nowMs = 0) => {
    const source = { address: '10.0.0.1', port };
    const destination = { address: '192.0.2.7', port: to };
    const sourceKey = parseKey(source) ?? 0;
    const destinationKey = parseKey(destination) ?? 0;
    const destinationAddress = 0xc000_0207;
    return table.add(
      { source, destination, destinationAddress, sourceKey, destinationKey },
      nowMs,
      () => 0.5,
    );
  };

  test('a second connection of a port gets another one at the proxy', () => {
    const table = new ConnectionTable();
    const first = add(table, 5000, 80);
    const second = add(table, 5000, 81);
    expect(first?.peerPort).toBe(5000);
    expect(second?.peerPort).not.toBe(5000);
    expect(table.fromProxy(second?.peerKey ?? 0)).toBe(second);
    expect(table.fromClient(second?.sourceKey ?? 0, second?.destinationKey ?? 0)).toBe(second);
    // Whose own port was given away gets another one, too.
    expect(add(table, second?.peerPort ?? 0, 80)?.peerPort).not.toBe(second?.peerPort);
    expect(table.size).toBe(3);
  });

  test('the search for a port ends', () => {
    const table = new ConnectionTable();
    for (let to = 0; to <= 512; to++) expect(add(table, 2000, to)).not.toBeNull();
    expect(add(table, 2000, 600)).toBeNull();
    expect(add(table, 80, 80)?.peerPort).toBe(80);
    expect(table.size).toBe(514);
  });

  test.each([
    ['only a SYN', [], TIMEOUTS_MS.opening],
    ['open', [ACK], TIMEOUTS_MS.open],
    ['half closed', [ACK, FIN | ACK], TIMEOUTS_MS.open],
    ['reset', [ACK, RST], TIMEOUTS_MS.reset],
  ] as const)('%s: forgotten when its time is over', (_name, flags, timeoutMs) => {
    const table = new ConnectionTable();
    const connection = add(table, 5000, 80);
    connection?.fromClient(SYN, 0);
    for (const flag of flags) connection?.fromClient(flag, 100);
    const last = flags.length === 0 ? 0 : 100;
    expect(table.expire(last + timeoutMs)).toBe(0);
    expect(table.expire(last + timeoutMs + 1)).toBe(1);
    expect(table.size).toBe(0);
    expect(table.fromProxy(connection?.peerKey ?? 0)).toBeUndefined();
  });

  test('closed by both ends, and opened again with the same ports', () => {
    const table = new ConnectionTable();
    const connection = add(table, 5000, 80);
    connection?.fromProxy(SYN | ACK, 0);
    connection?.fromClient(ACK, 0);
    connection?.fromProxy(FIN | ACK, 0);
    connection?.fromClient(FIN | ACK, 0);
    expect(connection?.state).toBe('closing');
    connection?.fromClient(SYN, 10);
    expect(connection?.state).toBe('opening');
    connection?.fromClient(ACK, 20);
    expect(connection?.state).toBe('open');
  });
});

describe.each(FAMILIES)('rewriting %s', (family) => {
  const client = { address: CLIENT[family], port: 5000 };
  const server = { address: SERVER[family], port: 80 };
  const proxy = { address: LO[family], port: 3128 };
  const create = (isExcluded = false): Translation =>
    new Translation(new Target({ port: 3128 }), () => isExcluded);
  const translate = (translation: Translation, packet: Packet): string => {
    translation.translate(packet, 0);
    return describeEnds(packet);
  };

  test('there and back', () => {
    const translation = create();
    const there = translate(translation, segment(family, client, server, SYN));
    expect(there).toBe(`${client.address} 5000 > ${proxy.address} 3128`);
    const back = translate(translation, segment(family, proxy, client, SYN | ACK));
    expect(back).toBe(`${server.address} 80 > ${client.address} 5000`);
    expect(translation.originalDestination(client)).toEqual(server);
    expect(translation.stats()).toMatchObject({
      connections: 1,
      packetsToProxy: 1,
      packetsToClients: 1,
    });
  });

  test('with another port there and back', () => {
    const translation = create();
    translate(translation, segment(family, client, server, SYN));
    const other = segment(family, client, { ...server, port: 81 }, SYN);
    translate(translation, other);
    const port = other.tcp?.srcPort ?? 0;
    expect(port).not.toBe(5000);
    const back = segment(family, proxy, { ...client, port }, SYN | ACK);
    expect(translate(translation, back)).toBe(`${server.address} 81 > ${client.address} 5000`);
    expect(translation.stats().remapped).toBe(1);
  });

  test.each([
    ['data of a connection from before', client, server, ACK],
    ['a SYN ACK', client, server, SYN | ACK],
    ['what goes to the proxy by itself', client, proxy, SYN],
    ['what the proxy answers to that', proxy, client, SYN | ACK],
  ])('%s is left alone', (_name, from, to, flags) => {
    const translation = create();
    const packet = segment(family, from, to, flags);
    const before = describeEnds(packet);
    expect(translate(translation, packet)).toBe(before);
    expect(translation.stats().connections).toBe(0);
  });

  test('the proxy is left alone, with the ports of a client that is gone too', () => {
    let isExcluded = false;
    const translation = new Translation(new Target({ port: 3128 }), () => isExcluded);
    translate(translation, segment(family, client, server, SYN));
    translate(translation, segment(family, client, server, RST));
    isExcluded = true;
    const own = `${client.address} 5000 > ${server.address} 80`;
    expect(translate(translation, segment(family, client, server, SYN))).toBe(own);
    expect(translate(translation, segment(family, client, server, ACK))).toBe(own);
    expect(translation.stats()).toMatchObject({ connections: 0, excluded: 1 });
  });

  test('a proxy of the other family only', () => {
    const host = LO[family === 'ipv4' ? 'ipv6' : 'ipv4'];
    const translation = new Translation(new Target({ host, port: 3128 }), () => false);
    const packet = segment(family, client, server, SYN);
    expect(translate(translation, packet)).toBe(`${client.address} 5000 > ${server.address} 80`);
  });
});

test('link-local IPv6 is left alone', () => {
  const translation = new Translation(new Target({ port: 3128 }), () => false);
  const [from, to] = [
    { address: 'fe80::1', port: 1 },
    { address: 'fe80::2', port: 80 },
  ];
  const packet = segment('ipv6', from, to, SYN);
  translation.translate(packet, 0);
  expect(describeEnds(packet)).toBe('fe80::1 1 > fe80::2 80');
});

describe('the segment size that a SYN announces', () => {
  const limited = (...options: number[]): number[] => {
    const ends = { address: '10.0.0.1', port: 1 };
    const packet = segment('ipv4', ends, ends, SYN, Uint8Array.from(options));
    if (packet.tcp) limitSegmentSize(packet.tcp);
    return [...(packet.tcp?.options ?? [])];
  };
  test.each([
    ['lo', [2, 4, 0xff, 0xd7], [2, 4, 0x3e, 0x80]],
    ['Ethernet', [2, 4, 5, 0xb4], [2, 4, 5, 0xb4]],
    ['behind others', [1, 1, 4, 2, 2, 4, 0xff, 0xff], [1, 1, 4, 2, 2, 4, 0x3e, 0x80]],
    ['behind the end', [0, 2, 4, 0xff, 0xff, 0, 0, 0], [0, 2, 4, 0xff, 0xff, 0, 0, 0]],
    ['of a wrong length', [2, 3, 0xff, 0xff], [2, 3, 0xff, 0xff]],
    ['a length of 0', [8, 0, 2, 4], [8, 0, 2, 4]],
    ['cut off', [1, 1, 2, 4], [1, 1, 2, 4]],
    ['none', [], []],
  ])('%s', (_name, options, expected) => {
    expect(limited(...options)).toEqual(expected);
  });
});
