/**
 * The tests of a decision graph as JavaScript statements.
 *
 * @module
 */

import type { Layer } from '../../packet/address.ts';
import { itemAt } from '../../packet/bytes.ts';
import { ALL_FIELDS } from '../extended/fields.ts';
import type { TestSet } from '../extended/test-set.ts';
import type { FilterTest, Label } from '../graph.ts';
import { MATCH } from '../match-input.ts';
import { type Condition, conditionOf } from './condition.ts';
import { type Facts, Flow, withFacts } from './flow.ts';
import { type Operand, operandOf } from './operands.ts';

/** From this many constants on, a list is searched by halves. */
const LIST_MIN = 6;
/** At most this many constants are compared one after the other. */
const LIST_LEAF = 4;
const WORD_SUFFIXES = ['', 'a', 'b', 'c'] as const;

/** One test with its operand. */
interface Step {
  readonly test: FilterTest;
  /** Null where the layer does not have the field. */
  readonly operand: Operand | null;
  /** Variables of the operand's words; the same for all tests of one value. */
  readonly names: readonly string[];
  /** Number of the set of a test for membership, -1 for all others. */
  readonly set: number;
  /** How many tests lead here. */
  ways: number;
}

/** Consecutive tests for equality of one value with the same outcome: `a == 1 or a == 2 or ...`. */
interface List {
  readonly values: readonly number[];
  readonly found: Label;
  readonly missing: Label;
  /** Index of the first test behind the list. */
  readonly end: number;
}

/** What {@link emitTests} returns. */
export interface EmittedTests {
  readonly text: string;
  /** Variables to declare, all numbers. */
  readonly variables: readonly string[];
}

/**
 * Emits all tests; the text ends with a return on every way.
 *
 * @param tests - the decision graph, in order
 */
export function emitTests(tests: readonly FilterTest[], layer: Layer): EmittedTests {
  const emitter = new Emitter(prepare(tests, layer));
  const pieces = tests.map((_, index) => emitter.emit(index));
  // A block per jump target, opened at the start and closed where the target begins: `break` jumps there.
  const targets = [...emitter.targets].sort((a, b) => b - a);
  const text = pieces.map((piece, index) => (emitter.targets.has(index) ? `}${piece}` : piece));
  return {
    text: targets.map((target) => `L${target}:{`).join('') + text.join(''),
    variables: [...emitter.variables],
  };
}

/** The sets of a filter in the order of its tests; generated code has them as `t0`, `t1` and so on. */
export function setsOf(tests: readonly FilterTest[]): readonly TestSet[] {
  return tests.flatMap(({ set }) => set ?? []);
}

/** The condition of a test, membership included. */
function stepCondition({ test, operand, names, set }: Step): Condition {
  if (operand === null) return false;
  return set < 0 ? conditionOf(test, operand, names) : membership(test, names, set);
}

const IPV4_MAPPED_WORD = '65535';

function membership(test: FilterTest, names: readonly string[], set: number): string {
  const isIPv4 = ALL_FIELDS[test.field]?.format === 'ipv4';
  const upper = [isIPv4 ? IPV4_MAPPED_WORD : '0', '0', '0'];
  const words = [...names, ...upper.slice(names.length - 1)];
  return `${test.operator === '=' ? '' : '!'}t${set}.hasWords(${words})`;
}

function prepare(tests: readonly FilterTest[], layer: Layer): readonly Step[] {
  const names = new Map<string, readonly string[]>();
  const sets = setsOf(tests);
  const steps = tests.map((test): Step => {
    const operand = operandOf(test.field, test.index, layer);
    const key = `${test.field}:${test.index}`;
    const known =
      names.get(key) ?? operand?.words.map((_, word) => `x${names.size}${WORD_SUFFIXES[word]}`);
    names.set(key, known ?? []);
    const set = test.set === undefined ? -1 : sets.indexOf(test.set);
    return { test, operand, names: known ?? [], set, ways: 0 };
  });
  for (const { success, failure } of tests) {
    for (const label of new Set([success, failure])) {
      const target = typeof label === 'number' ? steps[label] : undefined;
      if (target !== undefined) target.ways++;
    }
  }
  return steps;
}

class Emitter {
  readonly targets: Set<number> = new Set();
  readonly variables: Set<string> = new Set();
  readonly #steps: readonly Step[];
  readonly #flow: Flow;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#flow = new Flow(steps.length);
  }

  /** The statements of one test, none for a test that nothing leads to. */
  emit(index: number): string {
    const step = this.#steps[index];
    const facts = this.#flow.at(index);
    if (step === undefined || facts === undefined) return '';
    const { operand, test } = step;
    if (operand === null) return `return ${MATCH.INVALID};`;
    const guards = this.#emitGuards(operand, test.failure, facts);
    const present = withFacts(facts, operand.guards);
    const list = listFrom(this.#steps, index);
    const condition = stepCondition(step);
    if (list === null && typeof condition === 'boolean') {
      return guards + this.#jump(condition ? test.success : test.failure, present, index + 1);
    }
    const load = this.#emitLoad(operand, step.names, present);
    const loaded = withFacts(present, step.names);
    if (list === null) return guards + load + this.#emitBranch(condition, test, loaded, index + 1);
    const search = this.#emitSearch(list.values, `${step.names[0]}`, list.found, loaded);
    return guards + load + search + this.#jump(list.missing, loaded, list.end);
  }

  /** Leaves for the failure branch when the value is not there. */
  #emitGuards(operand: Operand, failure: Label, facts: Facts): string {
    const unknown = operand.guards.filter((guard) => !facts.has(guard));
    if (unknown.length === 0) return '';
    const target = failureWithout(this.#steps, unknown, failure);
    return `if(!(${unknown.join('&&')}))${this.#jump(target, facts)}`;
  }

  #emitLoad(operand: Operand, names: readonly string[], facts: Facts): string {
    if (names.every((name) => facts.has(name))) return '';
    for (const name of names) this.variables.add(name);
    return operand.before + names.map((name, word) => `${name}=${operand.words[word]};`).join('');
  }

  #emitBranch(condition: Condition, test: FilterTest, facts: Facts, next: number): string {
    const { success, failure } = test;
    if (success === next) {
      const leave = this.#jump(failure, facts, next);
      this.#flow.lead(success, facts);
      return leave === '' ? '' : `if(!(${condition}))${leave}`;
    }
    return `if(${condition})${this.#jump(success, facts)}${this.#jump(failure, facts, next)}`;
  }

  /** Emits a search for constants, in ascending order, by halves. */
  #emitSearch(values: readonly number[], name: string, found: Label, facts: Facts): string {
    if (values.length <= LIST_LEAF) {
      const any = values.map((value) => `${name}===${value}`).join('||');
      return `if(${any})${this.#jump(found, facts)}`;
    }
    const middle = values.length >> 1;
    const below = this.#emitSearch(values.slice(0, middle), name, found, facts);
    const above = this.#emitSearch(values.slice(middle), name, found, facts);
    return `if(${name}<${values[middle]}){${below}}else{${above}}`;
  }

  /** A jump to a label; nothing where the label is the test that comes next anyway. */
  #jump(label: Label, facts: Facts, next?: number): string {
    this.#flow.lead(label, facts);
    if (label === 'accept') return `return ${MATCH.YES};`;
    if (label === 'reject') return `return ${MATCH.NO};`;
    if (label === next) return '';
    this.targets.add(label);
    return `break L${label};`;
  }
}

/** Where a failed guard leads: tests that fail for the same reason are skipped. */
function failureWithout(steps: readonly Step[], guards: readonly string[], failure: Label): Label {
  let label = failure;
  while (typeof label === 'number') {
    const step: Step | undefined = steps[label];
    if (!step?.operand || !guards.every((guard) => step.operand?.guards.includes(guard))) break;
    label = step.test.failure;
  }
  return label;
}

/** The list that starts at a test; null when it is too short to search. */
function listFrom(steps: readonly Step[], index: number): List | null {
  const first = steps[index];
  if (first === undefined || !isListable(first)) return null;
  const values: number[] = [];
  let missing: Label = index;
  let end = index;
  while (missing === end) {
    const step: Step | undefined = steps[end];
    if (step === undefined || !continuesList(step, first)) break;
    values.push(itemAt(step.test.value, 0) | 0);
    missing = outcomes(step.test).missing;
    end++;
  }
  if (values.length < LIST_MIN) return null;
  const sorted = [...new Set(values)].sort((a, b) => a - b);
  return { values: sorted, found: outcomes(first.test).found, missing, end };
}

/** Where a test for equality leads. */
function outcomes({ operator, success, failure }: FilterTest): { found: Label; missing: Label } {
  return operator === '='
    ? { found: success, missing: failure }
    : { found: failure, missing: success };
}

function isListable({ test, operand, names }: Step): boolean {
  const equality = test.operator === '=' || test.operator === '!=';
  const isPlain = !test.negative && test.mask === undefined && test.set === undefined;
  return equality && isPlain && names.length === 1 && operand?.kind !== 'signed';
}

function continuesList(step: Step, first: Step): boolean {
  if (step === first) return true;
  const { operator, field, index } = step.test;
  if (operator !== first.test.operator || step.ways !== 1 || !isListable(step)) return false;
  const sameValue = field === first.test.field && index === first.test.index;
  return sameValue && outcomes(step.test).found === outcomes(first.test).found;
}
