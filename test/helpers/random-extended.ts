/**
 * Random filters of the extended dialect, the sets they name, and processes behind packets.
 *
 * @module
 */

import { ALL_FIELDS, EXTENDED_FIELD, EXTENDED_FIELDS } from '../../src/filter/extended/fields.ts';
import { FilterSet } from '../../src/filter/extended/filter-set.ts';
import { LAYER_BIT } from '../../src/filter/fields.ts';
import type { AddressInit, Layer } from '../../src/packet/address.ts';
import { formatIPv4Address, formatIPv6Address } from '../../src/packet/ip-text.ts';
import type { Random } from './random.ts';
import { FilterWriter, type Sample } from './random-filter.ts';
import { IPV4_ADDRESSES, IPV6_ADDRESSES, PORTS, WORDS } from './random-packet.ts';

const NAMES = ['curl', 'nc', 'node', 'a "quoted" \\', 'exactly15bytes_', 'öäü'] as const;
const USERS = [0, 1000, 65_534, 0xffff_ffff] as const;
const PROCESSES = [1, 2, 4711, 0x7fff_ffff] as const;
const IPV4_MAPPED = 0xffff_0000_0000n;

/** The process of an address, or none. */
export function randomProcess(random: Random): AddressInit {
  if (random.chance(30)) return {};
  return {
    processId: random.pick(PROCESSES),
    userId: random.pick(USERS),
    processName: random.pick(NAMES),
  };
}

/** Prefixes, addresses and numbers near what packets hold. */
export function randomSet(random: Random): FilterSet {
  const set = new FilterSet();
  for (let count = random.below(12); count > 0; count--) {
    set.add(random.pick([randomMember, randomPrefix, randomNumber])(random));
  }
  return set;
}

const randomMember = (random: Random): string =>
  random.pick([...IPV4_ADDRESSES, ...IPV6_ADDRESSES]);
const randomNumber = (random: Random): number => random.pick([...PORTS, ...WORDS, ...PROCESSES]);

function randomPrefix(random: Random): string {
  const value = numberOf(random.pick(random.chance(50) ? IPV4_ADDRESSES : IPV6_ADDRESSES));
  const isIPv4 = value >> 32n === 0xffffn;
  return prefixOf(value, random.between(isIPv4 ? 96 : 0, 128), isIPv4);
}

function numberOf(address: string): bigint {
  const [member] = new FilterSet([address]).entries();
  return member!.words.reduceRight((sum, word) => (sum << 32n) | BigInt(word), 0n);
}

/** Without the bits behind it. */
function prefixOf(value: bigint, length: number, isIPv4: boolean): string {
  const network = value & ~((1n << BigInt(128 - length)) - 1n);
  return `${addressText(network, isIPv4)}/${isIPv4 ? length - 96 : length}`;
}

function addressText(value: bigint, isIPv4: boolean): string {
  const words = [0n, 32n, 64n, 96n].map((shift) => Number(BigInt.asUintN(32, value >> shift)));
  return isIPv4 ? formatIPv4Address(words[0]!) : formatIPv6Address(words);
}

class ExtendedWriter extends FilterWriter {
  readonly #random: Random;
  readonly #layer: Layer;
  readonly #sample: Sample;
  readonly #sets: readonly string[];
  readonly #fields: readonly number[];

  constructor(random: Random, layer: Layer, sample: Sample, sets: readonly string[]) {
    super(random, layer, sample);
    this.#random = random;
    this.#layer = layer;
    this.#sample = sample;
    this.#sets = sets;
    this.#fields = ALL_FIELDS.flatMap(({ layers }, id) =>
      id === 0 || (layers & LAYER_BIT[layer]) === 0 ? [] : [id],
    );
  }

  override expression(depth: number): string {
    const random = this.#random;
    if (random.chance(40)) return super.expression(depth);
    switch (random.below(depth < 4 ? 9 : 7)) {
      case 0:
        return this.#prefix();
      case 1:
      case 2:
        return this.#membership();
      case 3:
        return this.#namedSet();
      case 4:
        return this.#mask();
      case 5:
      case 6:
        return this.#process();
      default:
        return `${random.pick(['not ', '!', 'not not not '])}(${this.expression(depth + 1)})`;
    }
  }

  #not(): string {
    return this.#random.chance(20) ? this.#random.pick(['not ', '!']) : '';
  }

  #subject(
    accepts: (field: number) => boolean,
  ): { name: string; field: number; index: number } | null {
    const random = this.#random;
    const fields = this.#fields.filter(accepts);
    if (fields.length === 0) return null;
    const field = random.pick(fields);
    const { name, indexed } = ALL_FIELDS[field]!;
    if (indexed === undefined) return { name, field, index: 0 };
    const index = random.chance(60) ? random.below(48) : -random.between(indexed, 48);
    return { name: `${name}[${index}b]`, field, index };
  }

  /** A value in the field's range. */
  #value(field: number, index: number): bigint {
    const random = this.#random;
    const { low, high, format } = ALL_FIELDS[field]!;
    const sampled = random.chance(60) ? this.#sample(field, index) : null;
    const edges = [low, high, ...[...PORTS, ...WORDS, ...PROCESSES].map(BigInt)];
    const addresses = [...IPV4_ADDRESSES, ...IPV6_ADDRESSES].map(numberOf);
    const isAddress = format === 'ipv4' || format === 'ipv6';
    let value = sampled ?? random.pick(isAddress ? addresses : edges);
    if (format === 'ipv4' && value < low) value |= IPV4_MAPPED;
    value += BigInt(random.pick([0, 0, 0, 1, -1]));
    if (value < low) return low;
    if (value > high) return high;
    return value;
  }

  #text(value: bigint, field: number): string {
    const { format } = ALL_FIELDS[field]!;
    if (format === 'ipv4') return addressText(value, true);
    if (format === 'ipv6')
      return addressText(value, value >> 32n === 0xffffn && this.#random.chance(80));
    return this.#random.chance(30) && value >= 0n ? `0x${value.toString(16)}` : `${value}`;
  }

  #prefix(): string {
    const random = this.#random;
    const subject = this.#subject((id) => /^ipv[46]$/.test(ALL_FIELDS[id]!.format));
    if (subject === null) return this.test();
    const { name, field } = subject;
    return `${this.#not()}${name} ${random.pick(['==', '!='])} ${this.#prefixText(field)}`;
  }

  #prefixText(field: number): string {
    const random = this.#random;
    const value = this.#value(field, 0);
    const isIPv4 = value >> 32n === 0xffffn;
    return prefixOf(value, isIPv4 ? random.between(96, 128) : random.between(0, 128), isIPv4);
  }

  #membership(): string {
    const random = this.#random;
    const subject = this.#subject((id) => id !== EXTENDED_FIELD.processName)!;
    const { name, field, index } = subject;
    const isFlag = ALL_FIELDS[field]!.format === 'flag';
    const count = random.chance(15) ? random.between(60, 400) : random.between(1, isFlag ? 2 : 14);
    const members = Array.from({ length: count }, () => this.#member(field, index));
    const comma = random.pick([',', ', ']);
    return `${this.#not()}${name} ${random.pick(['in', 'not in'])} { ${members.join(comma)}${random.chance(10) ? ',' : ''} }`;
  }

  #member(field: number, index: number): string {
    const random = this.#random;
    const { low, high, format } = ALL_FIELDS[field]!;
    if (random.chance(20) && /^ipv[46]$/.test(format)) return this.#prefixText(field);
    const value = this.#value(field, index);
    // Spread over the range, so that large sets stay large.
    const spread =
      random.chance(40) && low >= 0n
        ? low + ((BigInt(random.bits()) * 977n) % (high - low + 1n))
        : value;
    if (random.chance(70)) return this.#text(spread, field);
    const [first, last] = [spread, this.#value(field, index)].sort((a, b) => (a < b ? -1 : 1));
    return `${this.#text(first!, field)}..${this.#text(last!, field)}`;
  }

  #namedSet(): string {
    const random = this.#random;
    const subject = this.#subject((id) => {
      const { format, low } = ALL_FIELDS[id]!;
      return format !== 'flag' && format !== 'name' && low >= 0n;
    });
    if (subject === null || this.#sets.length === 0) return this.test();
    return `${this.#not()}${subject.name} ${random.pick(['in', 'not in'])} @${random.pick(this.#sets)}`;
  }

  #mask(): string {
    const random = this.#random;
    const subject = this.#subject((id) => {
      const { format, low } = ALL_FIELDS[id]!;
      return format !== 'name' && low >= 0n && (low === 0n || format === 'ipv4');
    })!;
    const { name, field, index } = subject;
    const { words, format } = ALL_FIELDS[field]!;
    const bits = BigInt(words * 32);
    const mask = BigInt.asUintN(
      Number(bits),
      random.pick([
        1n,
        0xffn,
        0xff00n,
        0xf000_000fn,
        (1n << bits) - 1n,
        0xffffn << (bits - 16n),
        0n,
      ]),
    );
    const value = this.#value(field, index);
    const compared =
      BigInt.asUintN(Number(bits), value) & (random.chance(80) ? mask : (1n << bits) - 1n);
    const masked = `${name} & ${format === 'ipv4' && random.chance(50) ? addressText(mask, true) : `0x${mask.toString(16)}`}`;
    const operand = random.chance(30) ? `(${masked})` : masked;
    if (random.chance(15)) return `${this.#not()}${operand}`;
    const constant =
      format === 'ipv4' || format === 'ipv6'
        ? addressText(compared, format === 'ipv4')
        : `${compared}`;
    return `${this.#not()}${operand} ${random.pick(['==', '!=', '<', '<=', '>', '>='])} ${constant}`;
  }

  #process(): string {
    const random = this.#random;
    if ((EXTENDED_FIELDS[2]!.layers & LAYER_BIT[this.#layer]) === 0) return this.test();
    const quoted = (): string => `"${random.pick(NAMES).replace(/["\\]/g, '\\$&')}"`;
    switch (random.below(4)) {
      case 0:
        return `${this.#not()}processName ${random.pick(['==', '!='])} ${quoted()}`;
      case 1: {
        const names = Array.from({ length: random.between(1, 12) }, quoted).join(', ');
        return `${this.#not()}processName ${random.pick(['in', 'not in'])} { ${names} }`;
      }
      case 2:
        return `userId ${random.pick(['==', '!=', '<', '>='])} ${random.pick(USERS)}`;
      default:
        return `${this.#not()}processId ${random.pick(['==', '!=', '<=', '>'])} ${random.pick(PROCESSES)}`;
    }
  }
}

/** A filter of the extended dialect; nearly all of them compile. */
export function randomExtendedFilter(
  random: Random,
  layer: Layer,
  sample: Sample,
  sets: readonly string[],
): string {
  return new ExtendedWriter(random, layer, sample, sets).expression(random.below(3));
}
