/**
 * What a fuzzing campaign is, and how one is run: for a time, case by case, each from a seed of its own, with an eye on
 * time and memory. What fails is shrunk and kept.
 *
 * @module
 */

import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { getHeapSnapshot } from 'node:v8';
import fc from 'fast-check';
import { collectGarbage } from '../helpers/collect-garbage.ts';
import { Random } from '../helpers/random.ts';
import { processorSeconds } from './processor-time.ts';
import { Watchdog } from './watchdog.ts';

/** A test input: bytes, or text. */
export type Input = Uint8Array | string;

/** A part of the library that is handed inputs it did not expect. */
export interface Campaign {
  readonly name: string;
  /** The input of a seed. */
  generate(random: Random): Input;
  /**
   * Hands it over.
   *
   * @throws whatever the library threw and should not have, or what was found wrong afterwards
   */
  check(input: Input): void | Promise<void>;
}

/** What a campaign did. */
export interface Report {
  readonly cases: number;
  readonly seconds: number;
  /** Of the processor. */
  readonly processorSeconds: number;
  /** Of the processor, for the slowest case. */
  readonly slowestMs: number;
  /** How much more memory was in use at the end than after the first tenth. */
  readonly growthMiB: number;
}

/** Limits of a campaign. */
export interface Limits {
  readonly minutes: number;
  readonly cases: number;
}

const MIB = 1 << 20;
/** Of the processor, far more than any case takes: how long it waits for one is not its fault. */
const SLOWEST_MS = 5_000;
const MOST_GROWTH_MIB = 64;
const SHRINK_MS = 30_000;
const MICROSECONDS_PER_MILLISECOND = 1000;
const CORPUS = fileURLToPath(new URL('./corpus/', import.meta.url));

/** Bytes in use once garbage is gone. V8 keeps what it compiled until memory runs short; for a heap snapshot it lets it go. */
function usedMiB(): number {
  getHeapSnapshot().destroy();
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / MIB;
}

/**
 * Runs a campaign.
 *
 * @param seed of the first case
 * @throws Error that says all there is to know, for the first case that fails
 */
export async function runCampaign(
  campaign: Campaign,
  seed: number,
  { minutes, cases: most }: Limits,
): Promise<Report> {
  using watchdog = new Watchdog(campaign.name);
  const start = Date.now();
  const startProcessor = processorSeconds();
  const milliseconds = minutes * 60_000;
  let cases = 0;
  let slowestMs = 0;
  let settledMiB: number | null = null;
  while (cases < most && Date.now() - start < milliseconds) {
    const caseSeed = (seed + cases) >>> 0;
    watchdog.begin(caseSeed);
    slowestMs = Math.max(slowestMs, await runCase(campaign, caseSeed));
    cases++;
    if (settledMiB === null && Date.now() - start > milliseconds / 10) settledMiB = usedMiB();
  }
  const growthMiB = usedMiB() - (settledMiB ?? usedMiB());
  if (growthMiB > MOST_GROWTH_MIB) {
    throw new Error(`${campaign.name}: ${growthMiB.toFixed(0)} MiB more after ${cases} cases`);
  }
  const seconds = (Date.now() - start) / 1000;
  const spent = processorSeconds() - startProcessor;
  return { cases, seconds, processorSeconds: spent, slowestMs, growthMiB };
}

/**
 * Runs one case.
 *
 * @param isKept whether an input that fails becomes part of the corpus
 * @returns milliseconds of processor time it took
 */
export async function runCase(campaign: Campaign, seed: number, isKept = true): Promise<number> {
  const input = campaign.generate(new Random(seed));
  const place = (smallest: Input): string => {
    const encoded = encodeInput(smallest);
    return isKept ? keep(campaign.name, seed, { input: encoded }) : JSON.stringify(encoded);
  };
  const start = process.cpuUsage();
  try {
    await campaign.check(input);
  } catch (error) {
    const smallest = await shrink(campaign, input);
    throw new Error(`${campaign.name} SEED=${seed}: ${String(error)}: ${place(smallest)}`, {
      cause: error,
    });
  }
  const { user, system } = process.cpuUsage(start);
  const tookMs = (user + system) / MICROSECONDS_PER_MILLISECOND;
  if (tookMs <= SLOWEST_MS) return tookMs;
  throw new Error(`${campaign.name} SEED=${seed}: took ${tookMs.toFixed(0)} ms: ${place(input)}`);
}

/** A smaller input that fails too, as fast-check finds it. */
async function shrink(campaign: Campaign, input: Input): Promise<Input> {
  const arbitrary: fc.Arbitrary<Input> =
    typeof input === 'string'
      ? fc.string({ unit: 'binary', maxLength: input.length })
      : fc.uint8Array({ maxLength: input.length });
  const property = fc.asyncProperty(arbitrary, async (smaller) => campaign.check(smaller));
  const { counterexample } = await fc.check(property, {
    examples: [[input]],
    numRuns: 1,
    interruptAfterTimeLimit: SHRINK_MS,
  });
  return counterexample?.[0] ?? input;
}

/**
 * Writes a failing case where `corpus.test.ts` finds it.
 *
 * @returns the name of the file
 */
export function keep(campaign: string, seed: number, content: object): string {
  mkdirSync(CORPUS, { recursive: true });
  const name = `${campaign}-${seed}.json`;
  writeFileSync(`${CORPUS}${name}`, `${JSON.stringify({ campaign, ...content }, null, 2)}\n`);
  return `test/fuzz/corpus/${name}`;
}

/** An input as JSON has it. */
export type EncodedInput = { readonly text: string } | { readonly hex: string };

function encodeInput(input: Input): EncodedInput {
  return typeof input === 'string' ? { text: input } : { hex: Buffer.from(input).toString('hex') };
}

/** The input of a file. */
export function decodeInput(encoded: EncodedInput): Input {
  return 'text' in encoded ? encoded.text : Uint8Array.from(Buffer.from(encoded.hex, 'hex'));
}
