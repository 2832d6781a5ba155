/**
 * Random filters in the grammar of the language, with constants near what a packet holds, and random
 * decision graphs as only object strings can have them.
 *
 * @module
 */

import { READERS, type ReadContext } from '../../src/filter/field-values.ts';
import { FIELDS, LAYER_BIT } from '../../src/filter/fields.ts';
import { type FilterTest, type Label, OPERATORS } from '../../src/filter/graph.ts';
import type { MatchInput } from '../../src/filter/match-input.ts';
import type { Layer } from '../../src/packet/address.ts';
import { formatIPv6Address } from '../../src/packet/ip-text.ts';
import { PacketScan, scanPacket } from '../../src/packet/layout.ts';
import type { Random } from './random.ts';
import { IPV4_ADDRESSES, IPV6_ADDRESSES, PORTS, WORDS } from './random-packet.ts';

const FILTER_OPERATORS = ['==', '=', '!=', '<', '<=', '>', '>='] as const;
const MAX_DEPTH = 4;
const TIMESTAMP = 'timestamp';

/** The value of a field in some packet or event, null where it is not there. */
export type Sample = (field: number, index: number) => bigint | null;

/** Reads values from an input, which must be filled and valid. */
export function sampleOf(input: MatchInput, layer: Layer): Sample {
  const context: ReadContext = {
    input,
    scan: new PacketScan(),
    negative: false,
    words: new Uint32Array(4),
  };
  const onPackets = layer === 'network' || layer === 'forward';
  if (onPackets && !scanPacket(input.memory, input.offset, input.length, context.scan)) {
    return () => null;
  }
  return (field, index) => {
    if (READERS[layer][field]?.(context, index) !== true) return null;
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = context.words;
    const magnitude = [w3, w2, w1, w0].reduce((sum, word) => (sum << 32n) | BigInt(word), 0n);
    return context.negative ? -magnitude : magnitude;
  };
}

/** Writes filters of WinDivert's dialect; the extended one has more forms. */
export class FilterWriter {
  readonly #random: Random;
  readonly #fields: readonly number[];
  readonly #sample: Sample;

  constructor(random: Random, layer: Layer, sample: Sample) {
    this.#random = random;
    this.#fields = FIELDS.flatMap(({ layers }, id) =>
      (layers & LAYER_BIT[layer]) === 0 ? [] : [id],
    );
    this.#sample = sample;
  }

  expression(depth: number): string {
    const random = this.#random;
    if (depth >= MAX_DEPTH || random.chance(25)) return this.test();
    switch (random.below(9)) {
      case 0:
        return this.#ternary(depth);
      case 1:
        return this.#list();
      case 2:
        return this.#range();
      default:
        return this.#chain(depth);
    }
  }

  #chain(depth: number): string {
    const random = this.#random;
    const word = random.pick([' and ', ' && ', ' or ', ' || ']);
    return Array.from({ length: random.between(2, 4) }, () => this.#part(depth + 1)).join(word);
  }

  #part(depth: number): string {
    const inner = this.expression(depth);
    return this.#random.chance(40) ? `(${inner})` : inner;
  }

  #ternary(depth: number): string {
    const [condition, success, failure] = [0, 1, 2].map(() => this.expression(depth + 1));
    return `(${condition} ? ${success} : ${failure})`;
  }

  /** `a == 1 or a == 2 or ...` or its negation. */
  #list(): string {
    const random = this.#random;
    const { name, field, index } = this.#subject();
    const tests = Array.from({ length: random.between(3, 14) }, () => this.#value(field, index));
    return random.chance(50)
      ? tests.map((value) => `${name} == ${value}`).join(' or ')
      : tests.map((value) => `${name} != ${value}`).join(' and ');
  }

  #range(): string {
    const { name, field, index } = this.#subject();
    return `${name} >= ${this.#value(field, index)} and ${name} <= ${this.#value(field, index)}`;
  }

  test(): string {
    const random = this.#random;
    const { name, field, index } = this.#subject();
    const not = random.chance(20) ? random.pick(['not ', '!', 'not not ']) : '';
    if (random.chance(FIELDS[field]?.format === 'flag' ? 70 : 10)) return `${not}${name}`;
    return `${not}${name} ${random.pick(FILTER_OPERATORS)} ${this.#value(field, index)}`;
  }

  #subject(): { name: string; field: number; index: number } {
    const random = this.#random;
    const field = random.pick(this.#fields);
    const { name, indexed } = FIELDS[field]!;
    if (field === 0) return { name: random.pick(['true', 'false', 'zero']), field, index: 0 };
    if (indexed === undefined) return { name, field, index: 0 };
    const index = random.chance(60) ? random.below(48) : -random.between(indexed, 48);
    const inWords = index % indexed === 0 && random.chance(50);
    const written = inWords ? `${index / indexed}` : `${index}b`;
    return { name: `${name}[${written}]`, field, index };
  }

  #value(field: number, index: number): string {
    const random = this.#random;
    const { low, high, format, name } = FIELDS[field]!;
    const sampled = random.chance(60) ? this.#sample(field, index) : null;
    if (sampled !== null) {
      const near = sampled + BigInt(random.pick([0, 0, 0, 0, 1, -1]));
      if (format !== 'ipv4' || near >= low) return this.#number(near, format);
    }
    if (format === 'ipv4') return random.pick(IPV4_ADDRESSES);
    if (format === 'ipv6') return random.pick([...IPV4_ADDRESSES, ...IPV6_ADDRESSES]);
    const edges = [
      0n,
      1n,
      low,
      high,
      high - 1n,
      6n,
      17n,
      ...PORTS.map(BigInt),
      ...WORDS.map(BigInt),
    ];
    if (random.chance(5)) edges.push(high + 1n, -1n, 1n << 32n, 1n << 64n);
    const value = random.pick(edges);
    const minus = (random.chance(3) || name === TIMESTAMP) && random.chance(50) && value >= 0n;
    return `${minus ? '-' : ''}${this.#number(value, 'decimal')}`;
  }

  #number(value: bigint, format: string): string {
    const magnitude = value < 0n ? -value : value;
    if ((format === 'ipv4' || format === 'ipv6') && value >= 0n) {
      // The printed form may end in `::`, which would swallow the colon of a ternary.
      return formatIPv6Address([0, 32, 64, 96].map((shift) => wordAt(magnitude, shift)));
    }
    const digits = this.#random.chance(50) ? `${magnitude}` : `0x${magnitude.toString(16)}`;
    return value < 0n ? `-${digits}` : digits;
  }
}

const wordAt = (value: bigint, shift: number): number =>
  Number(BigInt.asUintN(32, value >> BigInt(shift)));

/** A filter of a layer; nearly all of them compile. */
export function randomFilter(random: Random, layer: Layer, sample: Sample = () => null): string {
  return new FilterWriter(random, layer, sample).expression(random.below(3));
}

/**
 * A decision graph with any fields, indexes, signs and labels that an object string can hold, mostly
 * fields of the layer.
 */
export function randomTests(random: Random, layer: Layer, sample: Sample): FilterTest[] {
  const count = random.between(1, 12);
  const valid = FIELDS.flatMap(({ layers }, id) => ((layers & LAYER_BIT[layer]) === 0 ? [] : [id]));
  const few = Array.from({ length: 4 }, () => random.pick(valid));
  return Array.from({ length: count }, (_, at) => {
    const field = random.chance(95) ? random.pick(few) : random.below(FIELDS.length);
    const { indexed, format } = FIELDS[field]!;
    const index = indexed === undefined ? 0 : random.between(-50, 50);
    const sampled = random.chance(70) ? sample(field, index) : null;
    const negative = sampled === null ? random.chance(10) : sampled < 0n;
    const magnitude = sampled === null ? null : sampled < 0n ? -sampled : sampled;
    const words = [0, 32, 64, 96].map((shift) =>
      magnitude === null ? random.pick(WORDS) : wordAt(magnitude, shift),
    );
    const [w0 = 0, w1 = 0, w2 = 0, w3 = 0] = words;
    return {
      field,
      operator: random.pick(random.chance(50) ? (['=', '!='] as const) : OPERATORS),
      negative,
      value: format === 'ipv4' ? [w0, 0xffff, 0, 0] : [w0, w1, w2, w3],
      index,
      success: randomLabel(random, at, count),
      failure: randomLabel(random, at, count),
    };
  });
}

function randomLabel(random: Random, at: number, count: number): Label {
  if (at + 1 >= count || random.chance(25)) return random.pick(['accept', 'reject']);
  return random.chance(60) ? at + 1 : random.between(at + 1, count - 1);
}
