/**
 * The code of the tests. A value that is in its register already is not loaded again, so a list of
 * ports or addresses is one load and a chain of comparisons.
 *
 * @module
 */

import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R10, type Register } from '../../bpf/instruction.ts';
import type { JumpName } from '../../bpf/opcode.ts';
import type { Operator } from '../graph.ts';
import type { Comparison, Value } from './checks.ts';
import { type Exits, FRAME, IPV6_FIRST_BYTE, PROTOCOL } from './frame.ts';
import type { BpfOptions, ProcessLookup } from './options.ts';
import type { Target } from './plan.ts';
import { emitProcess } from './process.ts';
import { emitRangeSearch, type SearchedValue } from './range-search.ts';
import { commonDominator, type Route, type Step } from './route.ts';
import { emitSetLookup } from './set-lookup.ts';
import { emitTransportHeader, type ParseNeeds } from './transport-header.ts';
import {
  ADDRESS_REGISTERS,
  emitValue,
  isWide,
  needsProcess,
  needsTransport,
  valueKey,
} from './values.ts';
import { HEADER_WORLDS, TRANSPORT_PROTOCOLS, type TransportHeader, type Worlds } from './worlds.ts';

/** What registers hold when a step is reached. */
interface Held {
  /** Key of the value in r0. */
  readonly narrow: string | null;
  /** Key of the address in r2-r5. */
  readonly wide: string | null;
}

const NOTHING: Held = { narrow: null, wide: null };

/** A route with everything that is needed to write it down. */
export interface Body {
  readonly route: Route;
  readonly needs: ParseNeeds;
  /** Step in front of which the transport header is parsed; -1: in front of all. `null`: nowhere. */
  readonly parseAt: number | null;
  /** The same for the process behind the packet. */
  readonly processAt: number | null;
  /** The worlds a packet can be in at the start. */
  readonly worlds: Worlds;
}

/** Works out what a route needs and where the transport header is best parsed. */
export function prepareBody(
  route: Route,
  worlds: Worlds,
  { speculation = false }: BpfOptions,
): Body {
  const values = route.steps.map(valueOfStep);
  const kinds = new Set(values.map(kindOf));
  const checksumOffset = values.some(mayBeChecksum);
  const needs: ParseNeeds = {
    headers: new Set<TransportHeader>([
      ...route.steps.flatMap(transportOf),
      ...values.flatMap(portHeaders),
      ...(checksumOffset ? (['tcp', 'udp'] as const) : []),
    ]),
    shortHeaderBytes: values.some(readsShortHeader),
    payloadOffset: kinds.has('payload') || kinds.has('payload-length'),
    protocol: kinds.has('protocol'),
    fragment: kinds.has('fragment'),
    checksumOffset,
    loops: !speculation,
  };
  const users: number[] = [];
  route.steps.forEach((step, index) => {
    const value = values[index] ?? null;
    const isUser = value !== null && needsTransport(value);
    if (isUser || transportOf(step).length > 0) users.push(index);
  });
  const parseAt = users.length === 0 ? null : commonDominator(route, users);
  const owners = values.flatMap((value, index) =>
    value !== null && needsProcess(value) ? [index] : [],
  );
  const processAt = owners.length === 0 ? null : commonDominator(route, owners);
  return { route, needs, parseAt, processAt, worlds };
}

function valueOfStep({ node: { check } }: Step): Value | null {
  return check.kind === 'compare' ? check.value : null;
}

function kindOf(value: Value | null): string {
  return value?.kind === 'bytes' ? value.base : (value?.kind ?? '');
}

function readsShortHeader(value: Value | null): boolean {
  if (value?.kind === 'port') return true;
  return value?.kind === 'header' && needsTransport(value) && value.field.header !== 'tcp';
}

function mayBeChecksum(value: Value | null): boolean {
  return value?.kind === 'bytes' && value.mayBeChecksum;
}

function portHeaders(value: Value | null): TransportHeader[] {
  if (value?.kind !== 'port') return [];
  return value.side === 'source' ? ['tcp', 'udp', 'icmp', 'icmpv6'] : ['tcp', 'udp'];
}

/** Transport headers whose presence a step asks for or presupposes. */
function transportOf(step: Step): TransportHeader[] {
  const question = questionOf(step);
  const value = valueOfStep(step);
  const names: TransportHeader[] = [];
  if (question !== null && question.header !== 'ip' && question.header !== 'ipv6') {
    names.push(question.header);
  }
  if (value?.kind === 'header' && needsTransport(value)) {
    names.push(value.field.header as TransportHeader);
  }
  return names;
}

interface Question {
  readonly header: keyof typeof HEADER_WORLDS;
  /** The packets that have the header are the ones inside. */
  readonly present: boolean;
}

/** The header to look for in order to tell packets inside from those outside. */
function questionOf(step: Step): Question | null {
  const { worlds, inside } = step;
  if (worlds === inside) return null;
  for (const header of ['ip', 'ipv6', 'tcp', 'udp', 'icmp', 'icmpv6'] as const) {
    const having = worlds & HEADER_WORLDS[header];
    if (having === inside) return { header, present: true };
    if (having === (worlds & ~inside)) return { header, present: false };
  }
  throw new RangeError(`no header tells worlds ${inside} from ${worlds}`);
}

/**
 * Writes the tests down.
 *
 * @param describe remark for the listing, by index of the test
 * @param process how to look up the process behind the packet, where a test asks for it
 */
export function emitBody(
  assembler: Assembler,
  body: Body,
  exits: Exits,
  describe: (test: number) => string,
  process?: ProcessLookup,
): void {
  const { route, parseAt, processAt } = body;
  if (parseAt === -1) emitTransportHeader(assembler, body.needs, body.worlds, exits);
  if (processAt === -1 && process !== undefined) emitProcess(assembler, process);
  const emitter = new BodyEmitter(assembler, route, exits);
  emitter.goto(route.entry, NOTHING, 0);
  route.steps.forEach((step, index) => {
    emitter.place(index);
    if (parseAt === index) {
      emitTransportHeader(assembler, body.needs, step.worlds, exits);
      emitter.forget(index);
    }
    if (processAt === index && process !== undefined) {
      emitProcess(assembler, process);
      emitter.forget(index);
    }
    assembler.comment(describe(step.node.test));
    emitter.step(step, index);
  });
}

const INVERSE: Readonly<Record<string, JumpName>> = {
  JEQ: 'JNE',
  JNE: 'JEQ',
  JLT: 'JGE',
  JGE: 'JLT',
  JGT: 'JLE',
  JLE: 'JGT',
};

const CONDITIONS: Readonly<Record<Operator, JumpName>> = {
  '=': 'JEQ',
  '!=': 'JNE',
  '<': 'JLT',
  '<=': 'JLE',
  '>': 'JGT',
  '>=': 'JGE',
};

class BodyEmitter {
  readonly #assembler: Assembler;
  readonly #exits: Exits;
  readonly #labels: readonly Label[];
  readonly #held: (Held | null)[];

  constructor(assembler: Assembler, route: Route, exits: Exits) {
    this.#assembler = assembler;
    this.#exits = exits;
    this.#labels = route.steps.map(() => assembler.newLabel());
    this.#held = route.steps.map(() => null);
  }

  place(index: number): void {
    const label = this.#labels[index];
    if (label !== undefined) this.#assembler.label(label);
  }

  forget(index: number): void {
    this.#held[index] = NOTHING;
  }

  /** Goes to a target; falls through when it is step `next`. */
  goto(target: Target, held: Held, next: number): void {
    const label = this.#reach(target, held);
    if (target !== next) this.#assembler.jump(label);
  }

  /** Label of a target that is reached with `held`. */
  #reach(target: Target, held: Held): Label {
    if (target === 'accept') return this.#exits.accept;
    if (target === 'reject') return this.#exits.reject;
    const known = this.#held[target];
    this.#held[target] = known ? common(known, held) : held;
    return this.#labels[target] ?? this.#exits.reject;
  }

  step(step: Step, index: number): void {
    const before = this.#held[index] ?? NOTHING;
    const { check } = step.node;
    const next = index + 1;
    if (check.kind !== 'compare') {
      this.#split(step, check.kind === 'guard' ? step.success : step.unknown, before, next);
      return;
    }
    if (step.worlds !== step.inside) this.#guard(step, before);
    const held = this.#load(step, check.value, before);
    this.#compare(check.comparison, isWide(check.value), step, held, next);
  }

  /** Loads a value unless it is there already; returns what registers hold then. */
  #load(step: Step, value: Value, before: Held): Held {
    const key = valueKey(value);
    const wide = isWide(value);
    if ((wide ? before.wide : before.narrow) === key) return before;
    if (value.kind !== 'bytes') {
      const exits = needsProcess(value) ? this.#absentExit(step, before) : this.#noExits();
      emitValue(this.#assembler, value, step.inside, exits);
      return wide ? { ...before, wide: key } : { ...before, narrow: key };
    }
    // Bytes are loaded by a function, and their place is worked out in the registers of an address.
    emitValue(this.#assembler, value, step.inside, {
      failure: this.#reach(step.failure, { narrow: before.narrow, wide: null }),
      unknown: value.mayBeChecksum ? this.#reach(step.unknown, NOTHING) : this.#exits.reject,
    });
    return { narrow: key, wide: null };
  }

  /** For values that may be absent, found out before any register is lost. */
  #absentExit(step: Step, held: Held) {
    return { failure: this.#reach(step.failure, held), unknown: this.#exits.reject };
  }

  #noExits() {
    return { failure: this.#exits.reject, unknown: this.#exits.reject };
  }

  /** Goes to `absent` where the header of a comparison is not there. */
  #guard(step: Step, held: Held): void {
    const question = questionOf(step);
    if (question === null) return;
    const { condition, register, constant } = this.#ask(question, false);
    const absent = this.#reach(step.absent, held);
    this.#assembler.jumpIf(condition, register, constant, absent);
  }

  /** Goes one way with the header, the other without. */
  #split(step: Step, inside: Target, held: Held, next: number): void {
    const question = questionOf(step);
    if (question === null || inside === step.absent) {
      this.goto(inside, held, next);
      return;
    }
    const { condition, register, constant } = this.#ask(question, true);
    this.#branch(condition, register, constant, inside, step.absent, held, next);
  }

  /** The comparison that is true inside (or, `inside` being false, outside). */
  #ask(question: Question, inside: boolean) {
    const present = question.present === inside;
    const { header } = question;
    if (header === 'ip' || header === 'ipv6') {
      this.#assembler.load('B', R1, R10, FRAME.NETWORK_HEADER);
      const condition: JumpName = (header === 'ipv6') === present ? 'JGE' : 'JLT';
      return { condition, register: R1, constant: IPV6_FIRST_BYTE } as const;
    }
    const condition: JumpName = present ? 'JEQ' : 'JNE';
    return { condition, register: PROTOCOL, constant: TRANSPORT_PROTOCOLS[header] } as const;
  }

  #branch(
    condition: JumpName,
    register: Register,
    constant: number,
    yes: Target,
    no: Target,
    held: Held,
    next: number,
  ): void {
    const inverse = INVERSE[condition];
    const yesLabel = this.#reach(yes, held);
    const noLabel = this.#reach(no, held);
    if (yes === no) {
      if (yes !== next) this.#assembler.jump(yesLabel);
    } else if (yes === next && inverse !== undefined) {
      this.#assembler.jumpIf(inverse, register, constant, noLabel);
    } else {
      this.#assembler.jumpIf(condition, register, constant, yesLabel);
      if (no !== next) this.#assembler.jump(noLabel);
    }
  }

  #compare(comparison: Comparison, wide: boolean, step: Step, held: Held, next: number): void {
    const { success, failure } = step;
    if (comparison.kind === 'bits') {
      const [yes, no] = comparison.set ? [success, failure] : [failure, success];
      this.#branch('JSET', R0, comparison.mask, yes, no, held, next);
      return;
    }
    if (comparison.kind !== 'words') {
      this.#lookUp(comparison, wide, step, held);
      return;
    }
    const { operator, words, mask } = comparison;
    if (wide) this.#compareUpperWords(comparison, step, held);
    const lowest = wide ? (ADDRESS_REGISTERS.at(-1) ?? R0) : R0;
    const register = this.#masked(lowest, mask?.[0]);
    this.#branch(CONDITIONS[operator], register, words[0], success, failure, held, next);
  }

  /** A register as it is, or what a mask leaves of it in r1. */
  #masked(register: Register, mask: number | undefined): Register {
    if (mask === undefined) return register;
    this.#assembler.move(R1, register);
    this.#assembler.alu('AND', R1, mask);
    return R1;
  }

  /** Goes on by membership in a set. */
  #lookUp(
    comparison: Extract<Comparison, { kind: 'ranges' | 'maps' }>,
    wide: boolean,
    step: Step,
    held: Held,
  ): void {
    const after = comparison.kind === 'ranges' ? held : NOTHING;
    const success = this.#reach(step.success, after);
    const failure = this.#reach(step.failure, after);
    const exits = comparison.isMember
      ? { found: success, missing: failure }
      : { found: failure, missing: success };
    if (comparison.kind === 'ranges') {
      const value = wide ? WIDE_VALUE : NARROW_VALUE;
      emitRangeSearch(this.#assembler, comparison.ranges, value, exits);
      return;
    }
    const place = wide ? 'wide' : comparison.isIPv4 ? 'ipv4' : 'number';
    emitSetLookup(this.#assembler, comparison.maps, place, exits);
  }

  /** All words but the lowest, which decides only when these are equal. */
  #compareUpperWords(
    { operator, words, mask }: Extract<Comparison, { kind: 'words' }>,
    step: Step,
    held: Held,
  ): void {
    const success = this.#reach(step.success, held);
    const failure = this.#reach(step.failure, held);
    const isLess = operator === '<' || operator === '<=';
    ADDRESS_REGISTERS.slice(0, -1).forEach((whole, place) => {
      const index = words.length - 1 - place;
      const word = words[index] ?? 0;
      const register = this.#masked(whole, mask?.[index]);
      if (operator === '=' || operator === '!=') {
        this.#assembler.jumpIf('JNE', register, word, operator === '=' ? failure : success);
        return;
      }
      this.#assembler.jumpIf('JLT', register, word, isLess ? success : failure);
      this.#assembler.jumpIf('JGT', register, word, isLess ? failure : success);
    });
  }
}

const NARROW_VALUE: SearchedValue = { words: 1, load: () => R0 };
const WIDE_VALUE: SearchedValue = {
  words: 4,
  load: (word) => ADDRESS_REGISTERS.at(-1 - word) ?? R0,
};

function common(a: Held, b: Held): Held {
  return {
    narrow: a.narrow === b.narrow ? a.narrow : null,
    wide: a.wide === b.wide ? a.wide : null,
  };
}
