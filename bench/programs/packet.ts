/** Nanoseconds per call of the packet helpers and of changing a packet. */

import { calcChecksums } from '../../src/packet/checksum.ts';
import { hashPacket, hashPacketWords } from '../../src/packet/hash.ts';
import { PacketScan, scanPacket } from '../../src/packet/layout.ts';
import { Packet } from '../../src/packet/packet.ts';
import { parsePacket } from '../../src/packet/parse.ts';
import { decrementTtl } from '../../src/packet/ttl.ts';
import { measure, report } from './measure.ts';
import { MIX } from './mix.ts';

/** A TCP packet of `length` bytes with a valid header. */
function tcpPacket(length: number): Uint8Array {
  const bytes = Uint8Array.from({ length }, (_, index) => (index * 31) & 0xff);
  bytes.set([
    0x45,
    0,
    length >> 8,
    length & 0xff,
    0,
    1,
    0x40,
    0,
    64,
    6,
    0,
    0,
    10,
    0,
    0,
    1,
    10,
    0,
    0,
    2,
  ]);
  bytes[32] = 0x50;
  return bytes;
}

const figures: Record<string, number> = {};
const add = (name: string, calls: number, body: (index: number) => void): void => {
  figures[name] = measure(calls, body);
};

const large = Array.from({ length: 64 }, () => tcpPacket(1500));
const arena = new Uint8Array(64 * 2048);
large.forEach((packet, index) => {
  arena.set(packet, index * 2048);
});
const inArena = large.map((packet, index) =>
  arena.subarray(index * 2048, index * 2048 + packet.length),
);
const scan = new PacketScan();
const words = new Uint32Array(2);
const pick = (packets: readonly Uint8Array[], index: number): Uint8Array =>
  packets[index & 63] ?? arena;

add('scanPacket', 3_000_000, (index) => void scanPacket(arena, (index & 63) * 2048, 1500, scan));
add('parsePacket', 3_000_000, (index) => void parsePacket(MIX[index & 7] ?? arena));
add('calcChecksums, 1500 bytes', 300_000, () => void calcChecksums(pick(large, 0)));
add('calcChecksums, 64 packets', 300_000, (index) => void calcChecksums(pick(large, index)));
add('calcChecksums, 64 in an arena', 300_000, (index) => void calcChecksums(pick(inArena, index)));
add('hashPacketWords', 1_000_000, () => {
  scanPacket(arena, 0, 1500, scan);
  hashPacketWords(arena, 0, scan, 1, 2, words);
});
add('hashPacket', 1_000_000, (index) => void hashPacket(pick(large, index)));
add('decrementTtl', 3_000_000, (index) => void decrementTtl(pick(large, index)));

const FLAGS_VALID = 0xe0;
const packet = new Packet(arena, {});
const take = (index: number): Packet => {
  packet.rebind(arena, (index & 63) * 2048, 1500, FLAGS_VALID, 1, 0, 0n, 0);
  return packet;
};

add('Packet: taken and not touched', 3_000_000, (index) => void take(index).finish());
add('Packet: two fields read', 3_000_000, (index) => {
  const { ip, tcp } = take(index);
  if (ip?.ttl === tcp?.dstPort) packet.finish();
});
add('Packet: TTL set', 3_000_000, (index) => {
  const { ip } = take(index);
  if (ip) ip.ttl = index & 0xff;
  packet.finish();
});
add('Packet: port set in 1500 bytes', 300_000, (index) => {
  const { tcp } = take(index);
  if (tcp) tcp.dstPort = index & 0xffff;
  packet.finish();
});
add('Packet: payload of 1460 bytes written in place', 300_000, (index) => {
  take(index).payload[0] = index;
  packet.finish();
});
report(figures);
