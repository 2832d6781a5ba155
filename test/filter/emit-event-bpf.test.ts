import { describe, expect, test } from 'vitest';
import { Assembler } from '../../src/bpf/assembler.ts';
import { R3, R6, type Register } from '../../src/bpf/instruction.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import {
  canMatchEvent,
  type EventFacts,
  emitEventFilter,
  SET_STACK,
} from '../../src/filter/emit-event-bpf.ts';
import { compileMatcher } from '../../src/filter/emit-js.ts';
import { FilterSet } from '../../src/filter/extended/filter-set.ts';
import { FIELD } from '../../src/filter/fields.ts';
import { createInterpreter } from '../../src/filter/interpret.ts';
import { MATCH } from '../../src/filter/match-input.ts';
import { SOCKET_EVENT } from '../../src/packet/event-layout.ts';
import { runProgram } from '../helpers/bpf-machine.ts';
import { createCouldMatch } from '../helpers/could-match.ts';
import { compileEventProgram, type EventProgram } from '../helpers/event-engine.ts';
import { inputOf, recordOf } from '../helpers/event-record.ts';
import { Random } from '../helpers/random.ts';
import {
  EVENT_LAYERS,
  isLeftToReader,
  isOfLocalEnd,
  randomEvent,
  randomEventTests,
  recordedEvent,
} from '../helpers/random-event.ts';

const FILTERS = 600;
const RECORDS = 40;

test(`${FILTERS * RECORDS} random filters and records: all engines agree`, () => {
  const random = new Random();
  let matched = 0;
  let exactly = 0;
  for (let count = 0; count < FILTERS; count += 1) {
    const layer = random.pick(EVENT_LAYERS);
    const first = randomEvent(random, layer);
    const tests = randomEventTests(random, layer, first);
    const whole = compileEventProgram(tests, layer);
    const loose = compileEventProgram(tests, layer, { localUnknown: true });
    const interpret = createInterpreter(tests, layer);
    const javascript = compileMatcher(tests, layer);
    const could = createCouldMatch(tests, layer, isLeftToReader);
    const couldLoosely = createCouldMatch(
      tests,
      layer,
      (test) => isLeftToReader(test) || isOfLocalEnd(test),
    );
    exactly += whole.exact ? 1 : 0;
    for (let at = 0; at < RECORDS; at += 1) {
      const address = at === 0 ? first : randomEvent(random, layer);
      const { input, record } = recordedEvent(address, layer);
      const expected = interpret(input) === MATCH.YES;
      const fail = (engine: string) =>
        expect.fail(
          `${engine}: expected ${expected}, SEED=${random.seed}\n${layer} ${JSON.stringify(tests)}\n${Buffer.from(record).toString('hex')}`,
        );
      const check = (engine: string, program: EventProgram, isPossible: boolean) => {
        const said = runProgram(program.instructions, record) !== 0;
        if (expected && !said) fail(`${engine} misses a match`);
        if (said && !isPossible) fail(`${engine} is not tight`);
        if (program.exact && said !== expected) fail(`${engine} says it is exact`);
      };
      matched += expected ? 1 : 0;
      if ((javascript(input) === MATCH.YES) !== expected) fail('JavaScript');
      check('eBPF', whole, could(input));
      check('eBPF, local end unknown', loose, couldLoosely(input));
      if (at > 4) continue;
      const facts: EventFacts = {
        event: input.event,
        outbound: Boolean(address.outbound),
        loopback: Boolean(address.loopback),
        ipv6: Boolean(address.ipv6),
        protocol: input.protocol,
      };
      check('eBPF with facts', compileEventProgram(tests, layer, { facts }), could(input));
      if (expected && !canMatchEvent(tests, layer, facts)) fail('canMatchEvent');
    }
  }
  expect(matched).toBeGreaterThan(FILTERS * RECORDS * 0.1);
  expect(matched).toBeLessThan(FILTERS * RECORDS * 0.9);
  expect(exactly).toBeGreaterThan(FILTERS * 0.5);
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

describe('sets in maps', () => {
  const FD_OPCODE = 0x18;
  const blocked = new FilterSet();
  const sets = new Map([[blocked, { values: 901, prefixes: 902 }]]);
  const compile = (filter: string, localUnknown = false): EventProgram => {
    const options = { dialect: 'extended', sets: { blocked } } as const;
    const { tests } = compileFilter(filter, 'socket', options);
    return compileEventProgram(tests, 'socket', { sets, localUnknown });
  };
  const mapsOf = ({ instructions }: EventProgram): number[] =>
    instructions.flatMap(({ opcode, source, immediate }) =>
      opcode === FD_OPCODE && source === 1 ? [Number(immediate)] : [],
    );

  test.each<readonly [string, boolean, boolean, readonly number[]]>([
    ['remoteAddr in @blocked', false, true, [901, 902]],
    ['remoteAddr in @blocked', true, true, [901, 902]],
    ['localAddr in @blocked', false, true, [901, 902]],
    ['localAddr in @blocked', true, false, []],
    ['event in @blocked or remotePort in @blocked', false, true, [901, 902, 901, 902]],
    ['userId == 5', false, true, []],
  ])('%s, local end unknown %s: exact %s, maps %j', (filter, localUnknown, exact, maps) => {
    const program = compile(filter, localUnknown);
    expect([program.exact, mapsOf(program)]).toEqual([exact, maps]);
  });

  test('a record in a register that calls lose is a RangeError; one on the stack is not in the way', () => {
    const { tests } = compileFilter('remotePort in @blocked', 'socket', {
      dialect: 'extended',
      sets: { blocked },
    });
    const assembler = new Assembler();
    const exits = { accept: assembler.newLabel(), reject: assembler.newLabel() };
    const emit = (record: Register, of: typeof sets | undefined) =>
      emitEventFilter(assembler, tests, 'socket', { record, ...exits, ...(of && { sets: of }) });
    expect(() => emit(R3, sets)).toThrow(RangeError);
    expect(emit(R3, undefined).exact).toBe(false);
    expect(emit(R6, sets).exact).toBe(true);
    expect(SET_STACK.AT + SET_STACK.BYTES).toBeLessThanOrEqual(-SOCKET_EVENT.BYTES);
  });
});
