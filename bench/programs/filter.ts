/**
 * Nanoseconds of one step of filters, each filter by itself in a mix of packets.
 *
 *   filter.js generated|interpreted|matches|compile|generate|format [--once]
 */

import { compileFilter } from '../../src/filter/compile.ts';
import { compileMatcher } from '../../src/filter/emit-js.ts';
import type { Filter } from '../../src/filter/filter.ts';
import { createInterpreter } from '../../src/filter/interpret.ts';
import { MATCH, type Matcher, MatchInput } from '../../src/filter/match-input.ts';
import { measure, report } from './measure.ts';
import { FILTERS, MIX, MIX_ADDRESSES, MIX_FLAGS } from './mix.ts';

const SLOT = 2048;
const lengths = MIX.map((packet) => packet.length);
const memory = new Uint8Array(MIX.length * SLOT);
MIX.forEach((packet, at) => {
  memory.set(packet, at * SLOT);
});

/** Packets in one large memory, as a queue delivers them. */
function inPlace(matcher: Matcher): (index: number) => void {
  const input = new MatchInput();
  input.memory = memory;
  return (index) => {
    const at = index & 7;
    input.offset = at * SLOT;
    input.length = lengths[at] ?? 0;
    input.flags = MIX_FLAGS[at] ?? 0;
    if (matcher(input) === MATCH.INVALID) throw new Error('the mix has an invalid packet');
  };
}

function matches(filter: Filter): (index: number) => void {
  return (index) => {
    const at = index & 7;
    filter.matches(MIX[at] ?? memory, MIX_ADDRESSES[at] ?? {});
  };
}

const STEPS: Readonly<Record<string, (filter: Filter) => number>> = {
  generated: ({ tests }) => measure(2_000_000, inPlace(compileMatcher(tests, 'network'))),
  interpreted: ({ tests }) => measure(200_000, inPlace(createInterpreter(tests, 'network'))),
  matches: (filter) => measure(1_000_000, matches(filter)),
  compile: ({ source }) => measure(2_000, () => void compileFilter(source)),
  generate: ({ tests }) => measure(500, () => void compileMatcher(tests, 'network')),
  format: (filter) => measure(2_000, () => void filter.format()),
};

const step = STEPS[process.argv[2] ?? ''];
if (!step) throw new Error(`filter.js ${Object.keys(STEPS).join('|')}`);
const figures = Object.entries(FILTERS).map(([name, { windivert }]) => [
  name,
  step(compileFilter(windivert)),
]);
report(Object.fromEntries(figures));
