/**
 * Walks the decision graph of a filter, test by test: the reference for the compiled engines, and what
 * runs where code generation is forbidden.
 *
 * @module
 */

import { ADDRESS_FLAGS, type Layer } from '../packet/address.ts';
import { PacketScan, scanPacket } from '../packet/layout.ts';
import { ALL_FIELDS } from './extended/fields.ts';
import { type FieldReader, READERS, type ReadContext } from './field-values.ts';
import { type FilterTest, isTrue, type Label } from './graph.ts';
import { MATCH, type Matcher, MatchInput, type MatchResult } from './match-input.ts';

/** One test with what it needs looked up. */
interface Step {
  /** None where the layer does not have the field: reaching it is an error. */
  readonly read: FieldReader | undefined;
  readonly test: FilterTest;
  /** How many words of the constant count. */
  readonly words: number;
  /** The value is an IPv4 address: in sets, one as `::ffff:a.b.c.d`. */
  readonly isIPv4: boolean;
}

/**
 * Makes a matcher that interprets a filter.
 *
 * @param tests - the decision graph, in order; labels only point forward
 * @param layer - the layer of the inputs
 */
export function createInterpreter(tests: readonly FilterTest[], layer: Layer): Matcher {
  const readers = READERS[layer];
  const steps: readonly Step[] = tests.map((test) => ({
    read: readers[test.field],
    test,
    words: ALL_FIELDS[test.field]?.words ?? 1,
    isIPv4: ALL_FIELDS[test.field]?.format === 'ipv4',
  }));
  const context: ReadContext = {
    input: new MatchInput(),
    scan: new PacketScan(),
    negative: false,
    words: new Uint32Array(4),
  };
  return (input) => {
    context.input = input;
    return isValidInput(input, layer, context.scan) ? walk(steps, context) : MATCH.INVALID;
  };
}

/** Whether the layer can evaluate such an input at all; scans the packet. */
function isValidInput(input: MatchInput, layer: Layer, scan: PacketScan): boolean {
  switch (layer) {
    case 'network':
    case 'forward': {
      if (!scanPacket(input.memory, input.offset, input.length, scan)) return false;
      return (scan.version === 6) === ((input.flags & ADDRESS_FLAGS.IPV6) !== 0);
    }
    case 'flow':
    case 'socket':
      return input.length < 0;
    case 'reflect':
      return true;
    default:
      return layer satisfies never;
  }
}

function walk(steps: readonly Step[], context: ReadContext): MatchResult {
  let label: Label = 0;
  while (typeof label === 'number') {
    const step: Step | undefined = steps[label];
    if (step?.read === undefined) return MATCH.INVALID;
    const test: FilterTest = step.test;
    // What is not there fails the test, whatever the operator.
    const passed: boolean = step.read(context, test.index) && compare(context, step);
    label = passed ? test.success : test.failure;
  }
  return label === 'accept' ? MATCH.YES : MATCH.NO;
}

function compare(context: ReadContext, step: Step): boolean {
  const { test, words } = step;
  if (test.set !== undefined) return isMember(context, step) === (test.operator === '=');
  if (test.mask !== undefined) applyMask(context, test.mask);
  return isTrue(test.operator, order(context, test, words));
}

const IPV4_MAPPED_WORD = 0xffff;

function isMember({ words }: ReadContext, { test, isIPv4 }: Step): boolean {
  const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
  return test.set?.members.hasWords(w0, isIPv4 ? IPV4_MAPPED_WORD : w1, w2, w3) ?? false;
}

function applyMask({ words }: ReadContext, mask: readonly number[]): void {
  for (let word = 0; word < words.length; word++) {
    words[word] = (words[word] ?? 0) & (mask[word] ?? 0);
  }
}

/** Negative, 0 or positive: the value against the constant. The sign goes first, so 0 is above -0. */
function order(context: ReadContext, test: FilterTest, words: number): number {
  if (context.negative !== test.negative) return context.negative ? -1 : 1;
  for (let word = words - 1; word >= 0; word--) {
    const difference = (context.words[word] ?? 0) - ((test.value[word] ?? 0) >>> 0);
    if (difference !== 0) return test.negative ? -difference : difference;
  }
  return 0;
}
