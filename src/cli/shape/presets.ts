/**
 * Bad links by name.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import type { Impairment } from '../../recipes/index.ts';
import { MissingError, UsageError } from '../exit-code.ts';

/** A link, by direction. */
export interface Preset {
  readonly outbound?: Impairment;
  readonly inbound?: Impairment;
}

const MBIT = 1_000_000;
const KBIT = 1000;

/** Round figures of what such links are like. */
export const PRESETS: Readonly<Record<string, Preset>> = {
  edge: {
    outbound: { latencyMs: 200, jitterMs: 50, rateBitsPerSecond: 120 * KBIT },
    inbound: { latencyMs: 200, jitterMs: 50, rateBitsPerSecond: 240 * KBIT },
  },
  '3g': {
    outbound: { latencyMs: 50, jitterMs: 15, loss: 0.001, rateBitsPerSecond: 750 * KBIT },
    inbound: { latencyMs: 50, jitterMs: 15, loss: 0.001, rateBitsPerSecond: 1.6 * MBIT },
  },
  '4g': {
    outbound: { latencyMs: 20, jitterMs: 5, rateBitsPerSecond: 9 * MBIT },
    inbound: { latencyMs: 20, jitterMs: 5, rateBitsPerSecond: 20 * MBIT },
  },
  dsl: {
    outbound: { latencyMs: 10, jitterMs: 2, rateBitsPerSecond: 1 * MBIT },
    inbound: { latencyMs: 10, jitterMs: 2, rateBitsPerSecond: 16 * MBIT },
  },
  wifi: {
    outbound: { latencyMs: 3, jitterMs: 8, loss: 0.02, reorder: 0.01, reorderMs: 10 },
    inbound: { latencyMs: 3, jitterMs: 8, loss: 0.02, reorder: 0.01, reorderMs: 10 },
  },
  satellite: {
    outbound: { latencyMs: 300, jitterMs: 10, loss: 0.005, rateBitsPerSecond: 2 * MBIT },
    inbound: { latencyMs: 300, jitterMs: 10, loss: 0.005, rateBitsPerSecond: 20 * MBIT },
  },
};

/**
 * Looks a link up: among those of a file first, then among the built-in ones.
 *
 * @param path - of a JSON file: `{ "name": { "outbound": { ... }, "inbound": { ... } } }`; settings that stand
 * directly in a link are for both directions
 * @throws UsageError for a name there is not, or a file of another form
 */
export function findPreset(name: string, path: string | undefined): Preset {
  const own = path === undefined ? {} : readPresets(path);
  const preset = Object.hasOwn(own, name) ? own[name] : PRESETS[name];
  if (preset !== undefined && Object.hasOwn({ ...PRESETS, ...own }, name)) return preset;
  throw new UsageError(
    `preset '${name}': there is none; known are ${Object.keys({ ...PRESETS, ...own }).join(', ')}`,
  );
}

function readPresets(path: string): Record<string, Preset> {
  const given = parseFile(path);
  return Object.fromEntries(
    Object.entries(given).map(([name, link]) => {
      if (!isObject(link)) throw new UsageError(`presets file ${path}: '${name}' is no object`);
      const { outbound, inbound, ...both } = link;
      return [
        name,
        {
          outbound: { ...both, ...asObject(outbound) },
          inbound: { ...both, ...asObject(inbound) },
        },
      ];
    }),
  );
}

function parseFile(path: string): Record<string, unknown> {
  const text = readFileSync(path, 'utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (error) {
    throw new MissingError(
      `presets file ${path}: it is no JSON: ${error instanceof Error ? error.message : error}`,
      'It looks like { "name": { "latencyMs": 100, "loss": 0.05 } }.',
    );
  }
  throw new UsageError(`presets file ${path}: an object is expected`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function asObject(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}
