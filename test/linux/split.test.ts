import { describe, expect, test } from 'vitest';
import { splitPacket } from '../../src/linux/inject/split.ts';
import { calcChecksums, parsePacket } from '../../src/packet/index.ts';
import {
  concat,
  extension,
  fragmentHeader,
  ipv4,
  ipv6,
  tcp,
  udp,
} from '../helpers/build-packet.ts';

const payload = (length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 7 + (index >> 8)) & 255);
const checked = (packet: Uint8Array): Uint8Array => {
  calcChecksums(packet);
  return packet;
};
const split = (packet: Uint8Array, mtu = 1500): Uint8Array[] => {
  const pieces = splitPacket(packet, mtu, 0x01020304);
  expect(pieces).not.toBeNull();
  for (const piece of pieces ?? []) expect(piece.length).toBeLessThanOrEqual(mtu);
  return pieces ?? [];
};
const hasValidChecksum = (packet: Uint8Array): boolean => {
  const copy = packet.slice();
  calcChecksums(copy);
  return Buffer.compare(copy, packet) === 0;
};
const word = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
const long = (bytes: Uint8Array, at: number): number =>
  word(bytes, at) * 65536 + word(bytes, at + 2);

describe('TCP in segments', () => {
  const data = payload(10_000);
  const segment = tcp(
    { sequence: 0xffffff00, flags: 0x99, options: new Uint8Array(12).fill(1) },
    data,
  );
  test.each([
    ['IPv4', ipv4({ id: 0xffff }, segment)],
    ['IPv4 with options', ipv4({ options: Uint8Array.of(0x94, 4, 0, 0) }, segment)],
    ['IPv6', ipv6({}, segment)],
    [
      'IPv6 with extension headers',
      ipv6({ nextHeader: 0 }, concat(extension(60, 0, 8), extension(6, 1, 16), segment)),
    ],
  ])('%s', (_, packet) => {
    const pieces = split(checked(packet));
    const parts: Uint8Array[] = [];
    let sequence = 0xffffff00;
    pieces.forEach((piece, index) => {
      const layout = parsePacket(piece);
      const at = layout?.tcp ?? -1;
      expect(hasValidChecksum(piece)).toBe(true);
      expect(layout?.nextLength).toBe(0);
      expect(long(piece, at + 4)).toBe(sequence);
      sequence = (sequence + (layout?.dataLength ?? 0)) >>> 0;
      const isLast = index === pieces.length - 1;
      expect(piece[at + 13]).toBe(0x10 | (isLast ? 0x09 : 0) | (index === 0 ? 0x80 : 0));
      if (layout?.ip === 0) expect(word(piece, 4)).toBe((word(packet, 4) + index) & 0xffff);
      parts.push(piece.subarray(layout?.data ?? 0));
    });
    expect(Buffer.concat(parts).equals(data)).toBe(true);
    expect(pieces.length).toBe(Math.ceil(10_000 / (1500 - (packet.length - 10_000))));
  });

  test.each([0x02, 0x04, 0x20])('not with flag %i', (flag) => {
    expect(splitPacket(ipv4({}, tcp({ flags: 0x10 | flag }, data)), 1500, 1)).toBeNull();
  });
});

describe('fragments', () => {
  const data = udp({}, payload(5000));

  test('IPv4: offsets, flags, and the options that all of them have', () => {
    // Record route is for the first alone, loose source route (copied) for all.
    const options = concat(
      Uint8Array.of(7, 7, 4, 0, 0, 0, 0),
      Uint8Array.of(0x83, 7, 4, 9, 9, 9, 9),
      Uint8Array.of(1, 0),
    );
    const pieces = split(ipv4({ fragment: 0, protocol: 17, options }, data));
    const whole = new Uint8Array(data.length);
    pieces.forEach((piece, index) => {
      const offset = (word(piece, 6) & 0x1fff) * 8;
      whole.set(piece.subarray(36), offset);
      expect(word(piece, 2)).toBe(piece.length);
      expect((word(piece, 6) & 0x2000) !== 0).toBe(index < pieces.length - 1);
      expect(piece[20]).toBe(index === 0 ? 7 : 1);
      expect(piece.subarray(27, 34)).toEqual(options.subarray(7, 14));
    });
    expect(whole).toEqual(data);
  });

  test('IPv4: a fragment into smaller ones', () => {
    const pieces = split(ipv4({ fragment: 0x2000 | 100, protocol: 17 }, data));
    expect(pieces.map((piece) => word(piece, 6))).toEqual(
      [0, 1, 2, 3].map((n) => 0x2000 | (100 + n * 185)),
    );
  });

  test('IPv6: behind the headers that routers read', () => {
    const options = concat(extension(43, 0, 8), extension(60, 0, 8), extension(17, 1, 16));
    const packet = ipv6({ nextHeader: 0 }, concat(options, data));
    const pieces = split(packet);
    const whole = new Uint8Array(packet.length - 56);
    pieces.forEach((piece, index) => {
      expect(piece.subarray(6, 8)).toEqual(packet.subarray(6, 8));
      expect([piece[40], piece[48], piece[56]]).toEqual([43, 44, 60]);
      expect(word(piece, 4)).toBe(piece.length - 40);
      expect(long(piece, 60)).toBe(0x01020304);
      expect(word(piece, 58) & 7).toBe(index < pieces.length - 1 ? 1 : 0);
      whole.set(piece.subarray(64), word(piece, 58) & ~7);
    });
    expect(whole).toEqual(packet.subarray(56));
  });

  test('the largest IPv6 packet', () => {
    const pieces = split(ipv6({ nextHeader: 17 }, udp({ length: 0xffff }, payload(65_527))));
    expect(pieces).toHaveLength(Math.ceil(65_535 / 1448));
  });

  test.each([
    ['IPv4 with DF', ipv4({ fragment: 0x4000, protocol: 17 }, data)],
    ['an IPv6 fragment', ipv6({ nextHeader: 44 }, concat(fragmentHeader(17, 1), data))],
    ['no packet', new Uint8Array(2000)],
  ])('not %s', (_, packet) => {
    expect(splitPacket(packet, 1500, 1)).toBeNull();
  });
});
