/**
 * Compiles a decision graph to one JavaScript function. It scans the packet once and only as far as it has to, loads
 * each value at most once on every way through the graph, searches lists of constants by halves, and jumps with
 * labelled blocks.
 *
 * The generated text is made of fixed words, operators and numbers; nothing of a filter's own text gets into it.
 *
 * @module
 */

import { ADDRESS_FLAGS, type Layer } from '../packet/address.ts';
import { hashPacketWords } from '../packet/hash.ts';
import { PacketScan, scanPacket, versionOfPacket } from '../packet/layout.ts';
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

/** For tests that read nothing behind the IP header. */
const VERSION_CHECK =
  `const o=i.offset,v=versionOfPacket(i.memory,o,i.length);if(v===0||` +
  `v===6!==((i.flags&${ADDRESS_FLAGS.IPV6})!==0))return ${MATCH.INVALID};`;

/** Names of what a scan finds, besides the version. */
const SCANNED = /\b[shpn]\b/;

const INPUT_CHECK: Readonly<Record<Layer, string>> = {
  network: PACKET_CHECK,
  forward: PACKET_CHECK,
  flow: `if(i.length>=0)return ${MATCH.INVALID};`,
  socket: `if(i.length>=0)return ${MATCH.INVALID};`,
  reflect: '',
};

/**
 * The text of the generated function's body, with the parameter `i` ({@link MatchInput}) and, from
 * around it, `scanPacket`, `versionOfPacket`, `hashPacketWords`, `s`, `w`, and the sets `t0`, `t1`, …
 *
 * @param tests - the decision graph, in order; labels only point forward
 * @param layer - the layer of the inputs
 */
export function emitMatcher(tests: readonly FilterTest[], layer: Layer): string {
  const { text, variables } = emitTests(tests, layer);
  const usesVersion = INPUT_CHECK[layer] === PACKET_CHECK && !SCANNED.test(text);
  const used = NAMES.filter(
    ([name]) => !(usesVersion && name === 'v') && new RegExp(`\\b${name}\\b`).test(text),
  );
  const names = used.map(([name, value]) => `${name}=${value}`);
  const declared = [...names, ...variables.map((name) => `${name}=0`)];
  const declarations = declared.length === 0 ? '' : `let ${declared.join(',')};`;
  const check = usesVersion ? VERSION_CHECK : INPUT_CHECK[layer];
  return `${check}${declarations}${text}`;
}

const PARAMETERS = ['scanPacket', 'versionOfPacket', 'hashPacketWords', 's', 'w', 't'] as const;

type Factory = (
  scan: typeof scanPacket,
  version: typeof versionOfPacket,
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
  const factory = new Function(...PARAMETERS, body) as Factory;
  const [scan, words] = [new PacketScan(), new Uint32Array(2)];
  return factory(scanPacket, versionOfPacket, hashPacketWords, scan, words, sets);
}
