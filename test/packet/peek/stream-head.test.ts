import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Packet, StreamHead } from '../../../src/packet/index.ts';
import { ipv4, tcp } from '../../helpers/build-packet.ts';

const FIN = 0x01;
const SYN = 0x02;
const ACK = 0x10;
const segment = (sequence: number, payload: Uint8Array, flags = ACK): Packet =>
  new Packet(ipv4({}, tcp({ sequence: sequence >>> 0, flags }, payload)), {});

const NONE = new Uint8Array(0);

describe('StreamHead', () => {
  test('segments in any order, repeated and overlapping, give the first bytes of the connection', () => {
    const piece = fc.tuple(fc.nat(99), fc.integer({ min: 1, max: 40 }));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 40 }), fc.nat(0xffff_ffff), (pieces, first) => {
        const data = Uint8Array.from({ length: 140 }, (_, index) => index + 1);
        const head = new StreamHead();
        head.add(segment(first - 1, NONE, SYN));
        const seen = new Set<number>();
        for (const [from, length] of pieces) {
          const before = head.bytes.length;
          const grew = head.add(segment(first + from, data.slice(from, from + length)));
          expect(grew).toBe(head.bytes.length > before);
          for (let at = from; at < from + length; at++) seen.add(at);
        }
        let gapless = 0;
        while (seen.has(gapless)) gapless++;
        expect(head.bytes).toEqual(data.subarray(0, gapless));
      }),
    );
  });

  test('without a SYN the first segment is the beginning', () => {
    const head = new StreamHead();
    expect(head.add(segment(700, Uint8Array.of(1, 2)))).toBe(true);
    expect(head.add(segment(699, Uint8Array.of(9, 1, 2)))).toBe(false);
    expect(head.add(segment(702, Uint8Array.of(3), ACK | FIN))).toBe(true);
    expect([...head.bytes]).toEqual([1, 2, 3]);
  });

  test('is full with 64 KB', () => {
    const head = new StreamHead();
    for (let at = 0; at < 70_000; at += 1000) head.add(segment(at, new Uint8Array(1000)));
    expect(head.bytes.length).toBe(65_536);
    expect(head.isFull).toBe(true);
  });

  test('what is far ahead is not kept without bound', () => {
    const head = new StreamHead();
    head.add(segment(-1, NONE, SYN));
    const ahead = segment(1, new Uint8Array(60_000));
    for (let count = 0; count < 1000; count++) head.add(ahead);
    head.add(segment(0, Uint8Array.of(7)));
    expect(head.bytes.length).toBe(60_001);
  });
});
