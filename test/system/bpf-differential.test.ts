import { expect, test } from 'vitest';
import { formatListing } from '../../src/bpf/listing.ts';
import { fillAddress } from '../../src/filter/address-fields.ts';
import { differsInSegments } from '../../src/filter/bpf/checks.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { type BpfProgram, compileBpf } from '../../src/filter/emit-bpf.ts';
import { compileMatcher } from '../../src/filter/emit-js.ts';
import { FIELD, FIELDS } from '../../src/filter/fields.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import { createInterpreter } from '../../src/filter/interpret.ts';
import { MATCH, MatchInput } from '../../src/filter/match-input.ts';
import { writeObject } from '../../src/filter/object.ts';
import { loadProgram } from '../../src/linux/bpf/program.ts';
import { TestRunner } from '../../src/linux/bpf/test-run.ts';
import type { AddressInit } from '../../src/packet/address.ts';
import { PacketScan, scanPacket } from '../../src/packet/layout.ts';
import { mayBeTooDeep, optionsFor } from '../helpers/bpf-engine.ts';
import { createCouldMatch } from '../helpers/could-match.ts';
import { Random } from '../helpers/random.ts';
import { randomFilter, randomTests, sampleOf } from '../helpers/random-filter.ts';
import { randomAddress, randomPacket } from '../helpers/random-packet.ts';

const FILTERS = Number(process.env.FILTERS ?? 1000);
const PACKETS = 100;

/** How the reader gets what the program saw. */
const MODES = ['as seen', 'as seen', 'as seen', 'checksums filled in', 'in segments'] as const;
type Mode = (typeof MODES)[number];

const NEVER_KNOWN: ReadonlySet<number> = new Set([
  FIELD.timestamp,
  FIELD.random8,
  FIELD.random16,
  FIELD.random32,
]);

const CHECKSUM_BYTES = 2;

/** Whether bytes `index` to `index + size` of a packet, backwards when negative, touch its checksum. */
function touchesChecksum(scan: PacketScan, index: number, size: number): boolean {
  const checksum = scan.tcp >= 0 ? scan.tcp + 16 : scan.udp >= 0 ? scan.udp + 6 : -1;
  const from = index < 0 ? scan.packetLength + index : index;
  // Outside the packet there is nothing to be unknown: the test fails.
  if (from < 0 || from + size > scan.packetLength) return false;
  return checksum >= 0 && from < checksum + CHECKSUM_BYTES && from + size > checksum;
}

/** Only a super-packet over 64 KB does, and its segments say theirs. */
function saysLengthZero(packet: Uint8Array): boolean {
  const at = (packet[0] ?? 0) >> 4 === 6 ? 4 : 2;
  return packet[at] === 0 && packet[at + 1] === 0;
}

function isUnknown(mode: Mode, { field, index }: FilterTest, input: MatchInput): boolean {
  if (NEVER_KNOWN.has(field)) return true;
  const { header, indexed } = FIELDS[field]!;
  const scan = new PacketScan();
  scanPacket(input.memory, input.offset, input.length, scan);
  const isPresent =
    header === null ||
    (header === 'ip' || header === 'ipv6'
      ? scan.version === (header === 'ip' ? 4 : 6)
      : scan[header] >= 0);
  if (!isPresent) return false;
  if (mode === 'in segments') return differsInSegments(field);
  if (mode === 'as seen') return false;
  if (field === FIELD['tcp.Checksum'] || field === FIELD['udp.Checksum']) return true;
  return header === null && indexed !== undefined && touchesChecksum(scan, index, indexed);
}

type PacketLayer = 'network' | 'forward';

function fill(packet: Uint8Array, address: AddressInit, layer: PacketLayer): MatchInput {
  const input = new MatchInput();
  fillAddress(input, address, layer);
  input.memory = packet;
  input.length = packet.length;
  return input;
}

/** Addresses as a hook has them: of one direction and one interface, only the time differs. */
function hookAddress(random: Random, layer: PacketLayer): AddressInit {
  return { ...randomAddress(random, layer, null), event: 0, interfaceIndex: random.below(4) };
}

function makeTests(random: Random, layer: PacketLayer, packet: Uint8Array, address: AddressInit) {
  const sample = sampleOf(fill(packet, address, layer), layer);
  if (random.chance(30)) return randomTests(random, layer, sample);
  for (;;) {
    try {
      return compileFilter(randomFilter(random, layer, sample), layer).tests;
    } catch {
      // Some go over a limit of the language.
    }
  }
}

function describeCase(
  tests: readonly FilterTest[],
  packet: Uint8Array,
  address: AddressInit,
  compiled: BpfProgram,
): string {
  const facts = { ...address, timestamp: String(address.timestamp) };
  return [
    writeObject(tests),
    Buffer.from(packet).toString('hex'),
    JSON.stringify(facts),
    JSON.stringify(compiled.inexact),
    formatListing(compiled),
  ].join('\n');
}

test(`${FILTERS * PACKETS} random filters and packets: interpreter, JavaScript and eBPF agree`, () => {
  const random = new Random();
  const runner = new TestRunner();
  let matched = 0;
  let exact = 0;
  for (let count = 0; count < FILTERS; count += 1) {
    const layer = random.pick<PacketLayer>(['network', 'network', 'forward']);
    const first = randomPacket(random);
    const hook = hookAddress(random, layer);
    const tests = makeTests(random, layer, first, hook);
    const family = random.pick<4 | 6 | 'both'>([4, 6, 'both', 'both']);
    const mode = random.pick(MODES);
    const checksums = mode === 'checksums filled in' ? 'partial' : 'final';
    const compiled = compileBpf(tests, { ...optionsFor(layer, hook), family, checksums });
    const isExact = mode === 'in segments' ? compiled.exact : compiled.exactWithoutSegments;
    const context = mode === 'in segments' ? { gsoSize: 1400, gsoSegments: 2 } : {};
    using program = loadProgram(compiled.instructions, { name: 'differential' });
    const interpret = createInterpreter(tests, layer);
    const javascript = compileMatcher(tests, layer);
    const couldMatch = createCouldMatch(tests, layer, (single, input) =>
      isUnknown(mode, single, input),
    );
    const isTight = compiled.inexact.every(({ reason }) => reason !== 'too-complex');
    for (let at = 0; at < PACKETS; at += 1) {
      const packet = at === 0 ? first : randomPacket(random);
      const { timestamp } = randomAddress(random, layer, packet);
      const version6 = (packet[0] ?? 0) >> 4 === 6;
      const address = { ...hook, timestamp, ipv6: family === 'both' ? version6 : family === 6 };
      if (mode === 'in segments' && saysLengthZero(packet)) continue;
      const input = fill(packet, address, layer);
      const expected = interpret(input);
      const fail = () =>
        `${mode} SEED=${random.seed}\n${describeCase(tests, packet, address, compiled)}`;
      if (javascript(input) !== expected) expect.fail(`JavaScript: ${fail()}`);
      const said = runner.run(program.fd, packet, 'other', context).result !== 0;
      matched += said ? 1 : 0;
      exact += isExact ? 1 : 0;
      const isMatch = expected === MATCH.YES;
      const could = isTight && couldMatch(input);
      if ((isMatch || could) && !said && mode !== 'in segments')
        expect.fail(`eBPF misses a match: ${fail()}`);
      if (said && mayBeTooDeep(packet)) continue;
      if (isExact && said !== isMatch) expect.fail(`eBPF: ${fail()}`);
      if (isTight && said && !could) expect.fail(`eBPF is not tight: ${fail()}`);
    }
  }
  // The generators are worth their time only when both answers are common.
  expect(matched).toBeGreaterThan(FILTERS * PACKETS * 0.1);
  expect(matched).toBeLessThan(FILTERS * PACKETS * 0.9);
  expect(exact).toBeGreaterThan(FILTERS * PACKETS * 0.5);
});
