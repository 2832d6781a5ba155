/** Milliseconds of opening and closing handles, inside a namespace. */

import { type OpenOptions, open } from '../../src/index.ts';
import { report } from './measure.ts';

const CYCLES = process.argv.includes('--once') ? 5 : 100;
const FILTER = 'tcp.DstPort == 443 or udp.DstPort == 53';

async function cycle(options: OpenOptions): Promise<[openMs: number, closeMs: number]> {
  const start = performance.now();
  const handle = await open(FILTER, options);
  const opened = performance.now();
  await handle.close();
  return [opened - start, performance.now() - opened];
}

const medianOf = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;

const MODES: Readonly<Record<string, OpenOptions>> = {
  divert: {},
  sniff: { mode: 'sniff' },
  drop: { mode: 'drop' },
};
const figures: Record<string, number> = {};
for (const [name, options] of Object.entries(MODES)) {
  const times: [number, number][] = [];
  for (let count = 0; count < CYCLES; count++) times.push(await cycle(options));
  figures[`${name}: open`] = medianOf(times.map(([openMs]) => openMs));
  figures[`${name}: close`] = medianOf(times.map(([, closeMs]) => closeMs));
  figures[`${name}: open + close`] = medianOf(times.map(([openMs, closeMs]) => openMs + closeMs));
  if (name === 'divert')
    figures['divert: the first one'] = (times[0] ?? [0, 0])[0] + (times[0] ?? [0, 0])[1];
}
report(figures);
