import { expect, test } from 'vitest';
import { formatListing } from '../../src/bpf/listing.ts';
import { FilterError } from '../../src/errors.ts';
import { fillAddress, fillProcess } from '../../src/filter/address-fields.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { compileBpf } from '../../src/filter/emit-bpf.ts';
import type { FilterSet } from '../../src/filter/extended/filter-set.ts';
import type { Filter } from '../../src/filter/filter.ts';
import { createInterpreter } from '../../src/filter/interpret.ts';
import { MATCH, MatchInput } from '../../src/filter/match-input.ts';
import { loadProgram } from '../../src/linux/bpf/program.ts';
import { TestRunner } from '../../src/linux/bpf/test-run.ts';
import { FilterSetMaps } from '../../src/linux/filter-sets.ts';
import type { AddressInit } from '../../src/packet/address.ts';
import { mayBeTooDeep, optionsFor } from '../helpers/bpf-engine.ts';
import { fixedProcess } from '../helpers/process-lookup.ts';
import { Random } from '../helpers/random.ts';
import { randomExtendedFilter, randomProcess, randomSet } from '../helpers/random-extended.ts';
import { sampleOf } from '../helpers/random-filter.ts';
import { randomAddress, randomPacket } from '../helpers/random-packet.ts';

const FILTERS = Number(process.env.FILTERS ?? 600);
const PACKETS = 60;

type PacketLayer = 'network' | 'forward';

function fill(packet: Uint8Array, address: AddressInit, layer: PacketLayer): MatchInput {
  const input = new MatchInput();
  fillAddress(input, address, layer);
  fillProcess(input, address);
  input.memory = packet;
  input.length = packet.length;
  return input;
}

function makeFilter(
  random: Random,
  layer: PacketLayer,
  input: MatchInput,
  sets: Record<string, FilterSet>,
): Filter {
  for (;;) {
    const source = randomExtendedFilter(random, layer, sampleOf(input, layer), Object.keys(sets));
    try {
      return compileFilter(source, layer, { dialect: 'extended', sets });
    } catch (error) {
      // Some go over a limit of the language.
      if (!(error instanceof FilterError && error.code === 'too-long')) throw error;
    }
  }
}

test(`${FILTERS * PACKETS} random filters and packets: interpreter and eBPF agree`, () => {
  const random = new Random();
  const runner = new TestRunner();
  let matched = 0;
  let exact = 0;
  for (let count = 0; count < FILTERS; count += 1) {
    const layer = random.pick<PacketLayer>(['network', 'network', 'forward']);
    const first = randomPacket(random);
    const hook = {
      ...randomAddress(random, layer, null),
      ...randomProcess(random),
      event: 0,
      interfaceIndex: random.below(4),
    };
    const sets = { a: randomSet(random), b: randomSet(random) };
    const filter = makeFilter(random, layer, fill(first, hook, layer), sets);
    using maps = new FilterSetMaps(filter.kernelSets, 'netdivert_test');
    const compiled = compileBpf(filter.tests, {
      ...optionsFor(layer, hook),
      family: 'both',
      sets: maps.maps,
      process: fixedProcess(hook),
    });
    using program = loadProgram(compiled.instructions, { name: 'extended' });
    const interpret = createInterpreter(filter.tests, layer);
    for (let at = 0; at < PACKETS; at += 1) {
      // Programs see at once what changes.
      if (at === PACKETS / 2) sets.a.replace(randomSet(random));
      if (at % 8 === 7) sets.b.add(random.pick(['10.0.0.1', '::/1', '192.168.1.0/24', 80]));
      const packet = at === 0 ? first : randomPacket(random);
      const { timestamp } = randomAddress(random, layer, packet);
      const address = { ...hook, timestamp, ipv6: (packet[0] ?? 0) >> 4 === 6 };
      const expected = interpret(fill(packet, address, layer)) === MATCH.YES;
      const actual = runner.run(program.fd, packet, 'other').result !== 0;
      matched += expected ? 1 : 0;
      exact += compiled.exactWithoutSegments ? 1 : 0;
      const isExact = compiled.exactWithoutSegments && !mayBeTooDeep(packet);
      if (expected === actual || (actual && !isExact)) continue;
      const { timestamp: _, ...facts } = address;
      expect.fail(
        [
          `SEED=${random.seed}: interpreter ${expected}, eBPF ${actual}`,
          `${layer}: ${filter.source}`,
          `a: ${[...sets.a]}  b: ${[...sets.b]}`,
          Buffer.from(packet).toString('hex'),
          JSON.stringify(facts),
          formatListing(compiled),
        ].join('\n'),
      );
    }
  }
  const total = FILTERS * PACKETS;
  expect(matched / total, `SEED=${random.seed}`).toBeGreaterThan(0.2);
  expect(exact / total, `SEED=${random.seed}`).toBeGreaterThan(0.5);
});
