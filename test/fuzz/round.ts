/**
 * One round: a random filter held against random packets or events by several engines, and by what the filter reads
 * back from its object string and its own text. The seed of a round is all that is needed to run it again.
 *
 * @module
 */

import { FilterError } from '../../src/errors.ts';
import { fillAddress } from '../../src/filter/address-fields.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import type { FilterSet } from '../../src/filter/extended/filter-set.ts';
import type { Filter } from '../../src/filter/filter.ts';
import { MatchInput } from '../../src/filter/match-input.ts';
import { writeObject } from '../../src/filter/object.ts';
import { type AddressInit, LAYERS, type Layer } from '../../src/packet/address.ts';
import type { FilterEngine, Verdict } from '../conformance/filter-engine.ts';
import { Random } from '../helpers/random.ts';
import { randomExtendedFilter, randomProcess, randomSet } from '../helpers/random-extended.ts';
import { randomFilter, randomTests, type Sample, sampleOf } from '../helpers/random-filter.ts';
import { randomAddress, randomPacket } from '../helpers/random-packet.ts';
import { compare, type ExactnessCase, runnersOf } from './exactness-case.ts';

/** Packets or events of a round. */
export const INPUTS = 192;
/** The kernel needs a program for each place a packet may be at. */
const PLACES = 3;

/** How often the reference said what, and how often other engines did not know. */
export type Tally = Record<`${Verdict}`, number>;

/** A tally of nothing. */
export function newTally(): Tally {
  return { true: 0, false: 0, 'invalid-parameter': 0, unknown: 0 };
}

/** Engines differ. */
export class DifferenceError extends Error {
  /** All there is to know. */
  readonly difference: ExactnessCase;

  constructor(message: string, difference: ExactnessCase) {
    super(message);
    this.difference = difference;
  }
}

interface Input {
  readonly packet: Uint8Array | null;
  readonly address: AddressInit;
}

type Sets = Readonly<Record<string, FilterSet>>;

/**
 * Runs a round.
 *
 * @param engines - the first is the reference; `unknown` of another one is not a difference
 * @param tally - counted up
 * @param layers - to choose from
 * @throws {@link DifferenceError} when engines differ
 */
export function runRound(
  seed: number,
  engines: readonly FilterEngine[],
  tally: Tally,
  layers: readonly Layer[] = LAYERS,
): void {
  const random = new Random(seed);
  const layer = random.pick(layers);
  const inputs = randomInputs(random, layer);
  const compiled = randomCompiled(random, layer, sampleFrom(inputs[0]!, layer));
  if (compiled === null) return;
  const { filter, sets } = compiled;
  const runners = runnersOf(filter, sets, engines);
  try {
    for (const { packet, address } of inputs) {
      const said = compare(runners, packet, address, (verdict) => {
        tally[`${verdict}`]++;
      });
      if (said !== null) throw difference(seed, said, filter, sets, { packet, address });
    }
  } finally {
    for (const { prepared } of runners) prepared.close?.();
  }
}

function difference(
  seed: number,
  said: string,
  { layer, dialect, source }: Filter,
  sets: Sets,
  { packet, address }: Input,
): DifferenceError {
  const whole: ExactnessCase = {
    layer,
    dialect,
    source,
    sets: Object.fromEntries(Object.entries(sets).map(([name, set]) => [name, [...set]])),
    packet: packet === null ? null : Buffer.from(packet).toString('hex'),
    address: Object.fromEntries(
      Object.entries(address).map(([key, value]) => [
        key,
        typeof value === 'bigint' ? `${value}` : value,
      ]),
    ),
  };
  const lines = [
    `SEED=${seed}: ${said}`,
    `${layer}: ${source}`,
    whole.packet ?? 'no packet',
    JSON.stringify(whole.address),
  ];
  return new DifferenceError(lines.join('\n'), whole);
}

function randomInputs(random: Random, layer: Layer): Input[] {
  const onPackets = layer === 'network' || layer === 'forward';
  const places = Array.from({ length: PLACES }, () => randomPlace(random, layer));
  return Array.from({ length: INPUTS }, () => {
    if (onPackets) return packetInput(random, layer, random.pick(places));
    const packet = random.chance(2) ? randomPacket(random) : null;
    const address = randomAddress(random, layer, packet);
    if (layer === 'reflect') return { packet, address };
    // In a record, a process has a name or is not known.
    const { processId: _, ...nobody } = address;
    return { packet, address: { ...nobody, ...randomOwner(random) } };
  });
}

function packetInput(random: Random, layer: Layer, place: AddressInit): Input {
  const packet = random.chance(1) ? null : randomPacket(random);
  const address = { ...randomAddress(random, layer, packet), ...place };
  // Most rounds ask for the event 'packet', as all of them have it.
  return { packet, address: random.chance(90) ? { ...address, event: 0 } : address };
}

/** What the kernel's programs are made for, and the process of the packet. */
function randomPlace(random: Random, layer: Layer): AddressInit {
  const { outbound, loopback, impostor, interfaceIndex, subInterfaceIndex } = randomAddress(
    random,
    layer,
    null,
  );
  const owner = layer === 'network' ? randomOwner(random) : {};
  return { outbound, loopback, impostor, interfaceIndex, subInterfaceIndex, ...owner };
}

/** A process without an id is none. */
function randomOwner(random: Random): AddressInit {
  const { processId, ...user } = randomProcess(random);
  return processId === undefined ? {} : { processId, ...user };
}

function sampleFrom({ packet, address }: Input, layer: Layer): Sample {
  const input = new MatchInput();
  fillAddress(input, address, layer);
  if (packet !== null) {
    input.memory = packet;
    input.length = packet.length;
  }
  return sampleOf(input, layer);
}

interface Compiled {
  readonly filter: Filter;
  readonly sets: Sets;
}

/** From text, or from an object string; null for the few texts that do not compile. */
function randomCompiled(random: Random, layer: Layer, sample: Sample): Compiled | null {
  if (random.chance(40)) return randomExtended(random, layer, sample);
  const source = random.chance(25)
    ? writeObject(randomTests(random, layer, sample))
    : randomFilter(random, layer, sample);
  try {
    return { filter: compileFilter(source, layer), sets: {} };
  } catch (error) {
    if (error instanceof FilterError) return null;
    throw error;
  }
}

/** Of the extended dialect; null for the few that are too long. */
function randomExtended(random: Random, layer: Layer, sample: Sample): Compiled | null {
  const sets = { a: randomSet(random), b: randomSet(random) };
  const source = randomExtendedFilter(random, layer, sample, Object.keys(sets));
  try {
    return { filter: compileFilter(source, layer, { dialect: 'extended', sets }), sets };
  } catch (error) {
    if (error instanceof FilterError && error.code === 'too-long') return null;
    throw error;
  }
}
