import type { Impairment, LinkStats, Shaper, ShapeStats } from '../../recipes/index.ts';
import { UsageError } from '../exit-code.ts';
import { tell } from '../output.ts';
import { findPreset, type Preset } from '../shape/presets.ts';
import { type RunOptions, runOnTraffic, type TrafficSummary } from '../traffic-run.ts';

export interface ShapeCommandOptions extends Omit<RunOptions, 'count'> {
  /** Milliseconds. */
  readonly latency?: number;
  readonly jitter?: number;
  /** Shares, 0 to 1. */
  readonly loss?: number;
  readonly duplicate?: number;
  readonly reorder?: number;
  readonly corrupt?: number;
  readonly reset?: number;
  /** Bits a second. */
  readonly rate?: number;
  readonly on?: 'outbound' | 'inbound';
  readonly seed?: number;
  readonly preset?: string;
  readonly presets?: string;
}

/**
 * `netdivert shape`: a bad link in software, in one direction or both.
 *
 * @throws UsageError when it is not said what is bad about it
 */
export async function shape(text: string, options: ShapeCommandOptions): Promise<number> {
  const { layer, on, preset: name, presets, seed = randomSeed() } = options;
  const given = impairmentOf(options);
  if (name === undefined && Object.keys(given).length === 0) {
    throw new UsageError(
      'shape needs what to do: --latency, --loss, --rate, --preset and the like',
    );
  }
  const preset = name === undefined ? {} : findPreset(name, presets);
  const links = linksOf(preset, given, { layer, on });
  const recipes = await import('../../recipes/index.ts');
  let shaper: Shaper | undefined;
  tell(`seed ${seed}`);
  return await runOnTraffic(text, options, {
    name: 'shape',
    doing: 'shaping',
    work: async (handle) => {
      shaper = await recipes.shape(handle, { ...links, seed });
      await shaper.ended;
      await shaper.close();
    },
    summary: () => summaryOf(shaper?.stats(), seed),
  });
}

function impairmentOf(options: ShapeCommandOptions): Impairment {
  const { corrupt, duplicate, jitter, latency, loss, rate, reorder, reset } = options;
  return {
    ...(latency !== undefined && { latencyMs: latency }),
    ...(jitter !== undefined && { jitterMs: jitter }),
    ...(loss !== undefined && { loss }),
    ...(duplicate !== undefined && { duplicate }),
    ...(reorder !== undefined && { reorder }),
    ...(corrupt !== undefined && { corrupt }),
    ...(reset !== undefined && { reset }),
    ...(rate !== undefined && { rateBitsPerSecond: rate }),
  };
}

/** What the options say counts more than the preset. */
function linksOf(
  preset: Preset,
  given: Impairment,
  { layer, on }: Pick<ShapeCommandOptions, 'layer' | 'on'>,
): { outbound?: Impairment; inbound?: Impairment; forward?: Impairment } {
  if (layer === 'forward') {
    if (on !== undefined)
      throw new UsageError('--on is for layer network: forwarded packets have no direction');
    return { forward: { ...preset.inbound, ...given } };
  }
  return {
    ...(on !== 'inbound' && { outbound: { ...preset.outbound, ...given } }),
    ...(on !== 'outbound' && { inbound: { ...preset.inbound, ...given } }),
  };
}

function summaryOf(stats: ShapeStats | undefined, seed: number): TrafficSummary {
  const lines = Object.entries(stats ?? {})
    .filter(([, { packets }]) => packets > 0)
    .map(([direction, link]) => `${direction}: ${linkText(link)}`);
  return { fields: { seed, links: stats }, line: lines.join('\n') || 'no packet was shaped' };
}

function linkText(link: Readonly<LinkStats>): string {
  const { failed, overflow, packets, rateDropped, sent } = link;
  const counts = [
    ['delayed', link.delayed],
    ['lost', link.lost],
    ['twice', link.duplicated],
    ['corrupted', link.corrupted],
    ['reordered', link.reordered],
    ['reset', link.reset],
    ['over the rate', rateDropped + overflow],
    ['refused by the kernel', failed],
  ] as const;
  const shown = counts.filter(([, count]) => count > 0).map(([what, count]) => `${count} ${what}`);
  return [`${packets} packets`, `${sent} sent on`, ...shown].join(', ');
}

function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}
