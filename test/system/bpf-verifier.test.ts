import { describe, expect, test } from 'vitest';
import { compileFilter } from '../../src/filter/compile.ts';
import { type BpfOptions, compileBpf } from '../../src/filter/emit-bpf.ts';
import { FIELD, FIELDS, LAYER_BIT } from '../../src/filter/fields.ts';
import { type FilterTest, type Label, OPERATORS } from '../../src/filter/graph.ts';
import { verifyProgram } from '../../src/linux/bpf/program.ts';
import { Random } from '../helpers/random.ts';

/** The most tests that an object string can hold. */
const TESTS = 255;
/** A quarter of what kernels allow (1,000,000), for those that prune less than this one. */
const MOST_PROCESSED = 250_000;

const HOOKS: readonly BpfOptions[] = [
  { layer: 'network', direction: 'outbound' },
  { layer: 'network', direction: 'inbound' },
  { layer: 'forward' },
];

const FIELD_IDS = FIELDS.flatMap(({ layers }, id) =>
  (layers & LAYER_BIT.network) === 0 ? [] : [id],
);

type Picker = (at: number) => Pick<FilterTest, 'field' | 'index'>;
type Labels = (at: number) => Pick<FilterTest, 'success' | 'failure'>;

function makeTests(random: Random, pick: Picker, labels: Labels): FilterTest[] {
  return Array.from({ length: TESTS }, (_, at) => ({
    ...pick(at),
    ...labels(at),
    operator: random.pick(OPERATORS),
    negative: false,
    value: [random.bits(), random.bits(), random.bits(), random.bits()],
  }));
}

const later = (at: number): Label => (at < TESTS ? at : 'reject');

function shapes(random: Random): Record<string, Labels> {
  return {
    and: (at) => ({ success: at + 1 < TESTS ? at + 1 : 'accept', failure: 'reject' }),
    or: (at) => ({ success: 'accept', failure: later(at + 1) }),
    ladder: (at) => ({ success: later(at + 1), failure: later(at + 2) }),
    'next or far': (at) => ({
      success: later(at + 1),
      failure: later(at + 1 + random.below(TESTS - at)),
    }),
    anywhere: (at) => ({
      success: random.chance(2) ? 'accept' : later(at + 1 + random.below(8)),
      failure: random.chance(2) ? 'reject' : later(at + 1 + random.below(8)),
    }),
  };
}

function fields(random: Random): Record<string, Picker> {
  const index = () => (random.chance(50) ? random.below(1400) : -random.between(4, 1400));
  const indexed = (names: readonly number[]): Picker => {
    return (at) => ({ field: names[at % names.length]!, index: index() });
  };
  return {
    'all fields in turn': (at) => ({ field: FIELD_IDS[at % FIELD_IDS.length]!, index: index() }),
    'random fields': () => ({ field: random.pick(FIELD_IDS), index: index() }),
    payloads: indexed([
      FIELD['tcp.Payload'],
      FIELD['udp.Payload32'],
      FIELD.packet16,
      FIELD['tcp.Payload16'],
      FIELD.packet32,
    ]),
    'addresses in turn': indexed([
      FIELD.localAddr,
      FIELD.remoteAddr,
      FIELD['ipv6.SrcAddr'],
      FIELD['ip.DstAddr'],
    ]),
    'ports in turn': indexed([FIELD.localPort, FIELD['udp.DstPort'], FIELD.remotePort]),
    'headers in turn': indexed([FIELD.tcp, FIELD.ip, FIELD.udp, FIELD.icmpv6, FIELD.icmp]),
    'unknown and known in turn': indexed([
      FIELD.timestamp,
      FIELD['tcp.DstPort'],
      FIELD.random8,
      FIELD['udp.SrcPort'],
      FIELD['tcp.SeqNum'],
    ]),
  };
}

describe('255 tests of any kind load', () => {
  const random = new Random();
  for (const [shape, labels] of Object.entries(shapes(random))) {
    for (const [name, pick] of Object.entries(fields(random))) {
      test(`${name}, ${shape}`, () => {
        const tests = makeTests(random, pick, labels);
        for (const hook of HOOKS) {
          const { instructions } = compileBpf(tests, hook);
          const { processedInstructions } = verifyProgram(instructions, { name: 'worst_case' });
          expect(processedInstructions, `SEED=${random.seed}`).toBeLessThan(MOST_PROCESSED);
        }
      });
    }
  }
});

/** A filter of nearly 1277 tokens, the most that compile. */
const LONGEST: Record<string, string> = {
  'list of ports': Array.from({ length: TESTS }, (_, at) => `tcp.DstPort == ${at}`).join(' or '),
  'list of addresses': Array.from({ length: TESTS }, (_, at) => `ipv6.SrcAddr == fe80::${at}`).join(
    ' or ',
  ),
  'nested ternaries': Array.from({ length: 75 }).reduce<string>(
    (inner, _, at) => `(tcp.SrcPort > ${at} ? udp.Payload[${at}] == 1 : ${inner})`,
    'icmp',
  ),
};

test.each(Object.entries(LONGEST))('the longest filter loads: %s', (_name, text) => {
  const { tests } = compileFilter(text, 'network');
  for (const hook of HOOKS) {
    const { instructions } = compileBpf(tests, hook);
    const { processedInstructions } = verifyProgram(instructions, { name: 'longest' });
    expect(processedInstructions).toBeLessThan(MOST_PROCESSED);
  }
});
