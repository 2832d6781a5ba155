import { describe, expect, test } from 'vitest';
import { compileFilter } from '../../src/filter/compile.ts';
import {
  canMatchEvent,
  type EventFacts,
  type EventLayer,
} from '../../src/filter/emit-event-bpf.ts';
import { compileMatcher } from '../../src/filter/emit-js.ts';
import { FIELD } from '../../src/filter/fields.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import { createInterpreter } from '../../src/filter/interpret.ts';
import { MATCH } from '../../src/filter/match-input.ts';
import { writeObject } from '../../src/filter/object.ts';
import type { AddressInit } from '../../src/packet/address.ts';
import { runProgram } from '../helpers/bpf-machine.ts';
import { createCouldMatch } from '../helpers/could-match.ts';
import { compileEventProgram } from '../helpers/event-engine.ts';
import { inputOf, recordOf } from '../helpers/event-record.ts';
import { Random } from '../helpers/random.ts';
import { randomFilter, randomTests, sampleOf } from '../helpers/random-filter.ts';
import { randomAddress } from '../helpers/random-packet.ts';

const FILTERS = 600;
const RECORDS = 40;

function makeTests(random: Random, layer: EventLayer, address: AddressInit): readonly FilterTest[] {
  const sample = sampleOf(inputOf(address, layer), layer);
  if (random.chance(30)) return randomTests(random, layer, sample);
  for (;;) {
    try {
      return compileFilter(randomFilter(random, layer, sample), layer).tests;
    } catch {
      // Some go over a limit of the language.
    }
  }
}

const isLocal = ({ field }: FilterTest): boolean =>
  field === FIELD.localAddr || field === FIELD.localPort;

test(`${FILTERS * RECORDS} random filters and records: all engines agree`, () => {
  const random = new Random();
  let matched = 0;
  for (let count = 0; count < FILTERS; count += 1) {
    const layer = random.pick<EventLayer>(['flow', 'socket', 'reflect']);
    const first = randomAddress(random, layer, null);
    const tests = makeTests(random, layer, first);
    const exact = compileEventProgram(tests, layer);
    const loose = compileEventProgram(tests, layer, { localUnknown: true });
    const interpret = createInterpreter(tests, layer);
    const javascript = compileMatcher(tests, layer);
    const couldMatch = createCouldMatch(tests, layer, isLocal);
    expect(exact.exact).toBe(true);
    for (let at = 0; at < RECORDS; at += 1) {
      const address = at === 0 ? first : randomAddress(random, layer, null);
      const input = inputOf(address, layer);
      const record = recordOf(input, layer);
      const facts: EventFacts = {
        event: input.event,
        outbound: Boolean(address.outbound),
        loopback: Boolean(address.loopback),
        ipv6: Boolean(address.ipv6),
        protocol: input.protocol,
      };
      const expected = interpret(input) === MATCH.YES;
      const fail = (engine: string) =>
        expect.fail(
          `${engine}: expected ${expected}, SEED=${random.seed}\n${layer} ${writeObject(tests)}\n${Buffer.from(record).toString('hex')}`,
        );
      matched += expected ? 1 : 0;
      if ((javascript(input) === MATCH.YES) !== expected) fail('JavaScript');
      if ((runProgram(exact.instructions, record) !== 0) !== expected) fail('eBPF');
      const said = runProgram(loose.instructions, record) !== 0;
      if (expected && !said) fail('eBPF, local end unknown');
      if (said && !couldMatch(input)) fail('eBPF, local end unknown, is not tight');
      if (loose.exact && said !== expected) fail('eBPF that says it is exact');
      if (at > 4) continue;
      const known = compileEventProgram(tests, layer, { facts });
      if ((runProgram(known.instructions, record) !== 0) !== expected) fail('eBPF with facts');
      if (expected && !canMatchEvent(tests, layer, facts)) fail('canMatchEvent');
    }
  }
  expect(matched).toBeGreaterThan(FILTERS * RECORDS * 0.1);
  expect(matched).toBeLessThan(FILTERS * RECORDS * 0.9);
});

const TCP: EventFacts = { protocol: 6 };
const UDP: EventFacts = { protocol: 17 };
const DELETED: EventFacts = { event: 2 };

describe('what a filter can match', () => {
  test.each<readonly [string, EventFacts, boolean]>([
    ['tcp', TCP, true],
    ['tcp', UDP, false],
    ['tcp or remotePort == 53', UDP, true],
    ['tcp and remotePort == 53', UDP, false],
    ['protocol == 17', TCP, false],
    ['protocol > 16', TCP, false],
    ['icmp', { protocol: 1, ipv6: true }, false],
    ['icmp', { protocol: 1 }, true],
    ['event == ESTABLISHED and tcp', DELETED, false],
    ['event != ESTABLISHED and tcp', { ...DELETED, ...TCP }, true],
    ['inbound', { outbound: true }, false],
    ['loopback', { loopback: false }, false],
    ['false', TCP, false],
    ['localPort == 5', TCP, true],
  ])('%s, given %o: %s', (filter, facts, expected) => {
    expect(canMatchEvent(compileFilter(filter, 'flow').tests, 'flow', facts)).toBe(expected);
  });
});

describe('the local end unknown', () => {
  test.each<readonly [string, boolean, boolean]>([
    ['localPort == 5', false, true],
    ['localPort != 5 and remotePort == 1', false, false],
    ['localPort == 5 and tcp', false, true],
    ['localPort == 5 and udp', false, false],
    ['not localAddr == 1.2.3.4', false, true],
    ['localPort > -1', true, true],
    ['(localPort == 5 ? udp : tcp)', false, true],
    ['(localPort == 5 ? tcp : tcp)', false, true],
    ['tcp', true, true],
    ['remotePort == 443', true, true],
  ])('%s: exact %s, matches %s', (filter, exact, expected) => {
    const { tests } = compileFilter(filter, 'socket');
    const program = compileEventProgram(tests, 'socket', { localUnknown: true });
    const input = inputOf({ event: 'connect', protocol: 6, remotePort: 443 }, 'socket');
    expect(program.exact).toBe(exact);
    expect(runProgram(program.instructions, recordOf(input, 'socket')) !== 0).toBe(expected);
  });
});

test('a field of another layer does not match, and a label that leads nowhere is a RangeError', () => {
  const [first] = compileFilter('tcp', 'flow').tests;
  const record = recordOf(inputOf({ protocol: 6 }, 'flow'), 'flow');
  const foreign = [{ ...first!, field: FIELD['tcp.DstPort'] }];
  expect(runProgram(compileEventProgram(foreign, 'flow').instructions, record)).toBe(0);
  expect(() => compileEventProgram([{ ...first!, success: 5 }], 'flow')).toThrow(RangeError);
});
