/**
 * Compiles a decision graph to one JavaScript function. It scans the packet once, loads each value at
 * most once on every way through the graph, searches lists of constants by halves, and jumps with labelled blocks.
 *
 * The generated text is made of fixed words, operators and numbers; nothing of a filter's own text gets into it.
 *
 * @module
 */

import { ADDRESS_FLAGS, type Layer } from '../packet/address.ts';
import { hashPacketWords } from '../packet/hash.ts';
import { PacketScan, scanPacket } from '../packet/layout.ts';
import type { TestSet } from './extended/test-set.ts';
import type { FilterTest } from './graph.ts';
import { createInterpreter } from './interpret.ts';
import { emitTests, setsOf } from './js/tests.ts';
import { MATCH, type Matcher } from './match-input.ts';

/** Short names of what the tests read, in the order they may depend on each other. */
const NAMES: readonly (readonly [name: string, value: string])[] = [
  ['m', 'i.memory'],
  ['f', 'i.flags'],
  ['q', 'i.length'],
  ['v', 's.version'],
  ['h', 'o+s.headersEnd'],
  ['p', 'o+s.payloadOffset'],
  ['n', 's.payloadLength'],
  ['e', '0'],
];

const PACKET_CHECK =
  `const o=i.offset;if(!scanPacket(i.memory,o,i.length,s)||` +
  `s.version===6!==((i.flags&${ADDRESS_FLAGS.IPV6})!==0))return ${MATCH.INVALID};`;

const INPUT_CHECK: Readonly<Record<Layer, string>> = {
  network: PACKET_CHECK,
  forward: PACKET_CHECK,
  flow: `if(i.length>=0)return ${MATCH.INVALID};`,
  socket: `if(i.length>=0)return ${MATCH.INVALID};`,
  reflect: '',
};

/**
 * The text of the generated function's body, with the parameter `i` ({@link MatchInput}) and, from
 * around it, `scanPacket`, `hashPacketWords`, `s`, `w`, and the sets `t0`, `t1`, …
 *
 * @param tests - the decision graph, in order; labels only point forward
 * @param layer - the layer of the inputs
 */
export function emitMatcher(tests: readonly FilterTest[], layer: Layer): string {
  const { text, variables } = emitTests(tests, layer);
  const used = NAMES.filter(([name]) => new RegExp(`\\b${name}\\b`).test(text));
  const names = used.map(([name, value]) => `${name}=${value}`);
  const declared = [...names, ...variables.map((name) => `${name}=0`)];
  const declarations = declared.length === 0 ? '' : `let ${declared.join(',')};`;
  return `${INPUT_CHECK[layer]}${declarations}${text}`;
}

type Factory = (
  scan: typeof scanPacket,
  hash: typeof hashPacketWords,
  s: PacketScan,
  w: Uint32Array,
  t: readonly TestSet['members'][],
) => Matcher;

/**
 * Makes a matcher that runs generated code, or interprets where the program or page forbids that
 * (`--disallow-code-generation-from-strings`, Content-Security-Policy).
 *
 * @param tests - the decision graph, in order; labels only point forward
 * @param layer - the layer of the inputs
 */
export function compileMatcher(tests: readonly FilterTest[], layer: Layer): Matcher {
  try {
    return generateMatcher(tests, layer);
  } catch (error) {
    if (error instanceof EvalError) return createInterpreter(tests, layer);
    throw error;
  }
}

/**
 * Makes a matcher that runs generated code.
 *
 * @throws EvalError where that is forbidden
 */
export function generateMatcher(tests: readonly FilterTest[], layer: Layer): Matcher {
  const sets = setsOf(tests).map(({ members }) => members);
  const names = sets.length === 0 ? '' : `const [${sets.map((_, set) => `t${set}`)}]=t;`;
  const body = `'use strict';${names}return function(i){${emitMatcher(tests, layer)}}`;
  const factory = new Function('scanPacket', 'hashPacketWords', 's', 'w', 't', body) as Factory;
  return factory(scanPacket, hashPacketWords, new PacketScan(), new Uint32Array(2), sets);
}
