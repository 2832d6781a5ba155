/**
 * What a filter of so many tests costs, inside a namespace.
 *
 *   curve-filter.js different|addresses TESTS [--once]
 */

import type { Instruction } from '../../src/bpf/instruction.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { compileMatcher } from '../../src/filter/emit-js.ts';
import type { Filter } from '../../src/filter/index.ts';
import { MATCH, type Matcher, MatchInput } from '../../src/filter/match-input.ts';
import { open } from '../../src/index.ts';
import { loadProgram, verifyProgram } from '../../src/linux/bpf/program.ts';
import { TestRunner } from '../../src/linux/bpf/test-run.ts';
import { compileForHooks } from '../../src/linux/hooks.ts';
import { NF_INET } from '../../src/linux/nftables/constants.ts';
import { measure, report } from './measure.ts';
import { lockedBytes, memoryUse } from './memory.ts';
import { MIX, MIX_FLAGS, versionOf } from './mix.ts';

const once = process.argv.includes('--once');
const REPEAT = once ? 1000 : 100_000;
const RUNS = once ? 1 : 5;
const OPENINGS = once ? 2 : 9;
/** Kept at the same time, to see what one needs. */
const KEPT = once ? 10 : 200;
const NAME = 'ndivert_bench';
const BYTES_OF_MB = 1e6;
const [, , kind = '', count = '1'] = process.argv;

/** Tests that no packet of the mix passes, so that all of them are evaluated. */
const DIFFERENT: readonly ((at: number) => string)[] = [
  (at) => `tcp.SrcPort == ${at + 1}`,
  (at) => `ip.TTL > ${200 + (at % 50)}`,
  (at) => `udp.DstPort == ${at + 1}`,
  (at) => `ip.DstAddr == 10.99.0.${at % 256}`,
  (at) => `tcp.Window == ${at + 1}`,
  (at) => `packet32[0] == ${at}`,
  (at) => `length > ${60_000 + at}`,
  (at) => `ipv6.SrcAddr == fd99::${at + 1}`,
];
const TESTS: Readonly<Record<string, (at: number) => string>> = {
  different: (at) => DIFFERENT[at % DIFFERENT.length]?.(at) ?? 'false',
  addresses: (at) => `ip.DstAddr == 10.99.${at >> 4}.${(at & 15) * 16}`,
};

const test = TESTS[kind];
if (!test) throw new Error(`curve-filter.js ${Object.keys(TESTS).join('|')} TESTS`);
const source = Array.from({ length: Number(count) }, (_, at) => test(at)).join(' or ');

function evaluate(matcher: Matcher): (index: number) => void {
  const input = new MatchInput();
  return (index) => {
    const at = index & 7;
    input.memory = MIX[at] ?? input.memory;
    input.length = input.memory.length;
    input.flags = MIX_FLAGS[at] ?? 0;
    if (matcher(input) !== MATCH.NO) throw new Error('the filter is to match nothing');
  };
}

/** Kilobytes of a compiled filter that was used. */
function sizeKb(): number {
  const kept: unknown[] = [];
  const before = memoryUse().scriptMb;
  for (let index = 0; index < KEPT; index++) {
    const filter = compileFilter(source);
    const matcher = compileMatcher(filter.tests, 'network');
    evaluate(matcher)(0);
    kept.push([filter, matcher]);
  }
  const after = memoryUse().scriptMb;
  return ((after - before) * 1000) / kept.length;
}

function programOf(filter: Filter): readonly Instruction[] {
  const found = compileForHooks(filter, 0).find(({ hook }) => hook === NF_INET.LOCAL_OUT);
  if (!found) throw new Error('nothing at the output hook');
  return found.program.instructions;
}

const runner = new TestRunner(2048);

function inKernel(filter: Filter): Record<string, number> {
  const instructions = programOf(filter);
  const loadMs: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const start = performance.now();
    loadProgram(instructions, { name: NAME }).close();
    loadMs.push(performance.now() - start);
  }
  using program = loadProgram(instructions, { name: NAME });
  let total = 0;
  for (const packet of MIX) {
    const runs = Array.from(
      { length: RUNS },
      () => runner.run(program.fd, packet, versionOf(packet), {}, REPEAT).durationNs,
    );
    total += Math.min(...runs);
  }
  return {
    instructions: instructions.length,
    'instructions, verified': verifyProgram(instructions, { name: NAME }).processedInstructions,
    'load and verify': Math.min(...loadMs),
    'run in the kernel': total / MIX.length,
    'program in the kernel': lockedBytes(program.fd) / 1000,
  };
}

async function openings(): Promise<Record<string, number>> {
  const times: [openMs: number, closeMs: number][] = [];
  for (let run = 0; run < OPENINGS; run++) {
    const start = performance.now();
    const handle = await open(source);
    const opened = performance.now();
    await handle.close();
    times.push([opened - start, performance.now() - opened]);
  }
  const median = (values: number[]): number =>
    values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
  return {
    open: median(times.map(([openMs]) => openMs)),
    close: median(times.map(([, closeMs]) => closeMs)),
  };
}

const filter = compileFilter(source);
const calls = Math.ceil(40_000 / (20 + Number(count)));
const figures = {
  compile: measure(calls, () => void compileFilter(source)) / 1000,
  'generate JavaScript': measure(calls, () => void compileMatcher(filter.tests, 'network')) / 1000,
  evaluate: measure(calls * 100, evaluate(compileMatcher(filter.tests, 'network'))),
  ...inKernel(filter),
  ...(await openings()),
  'in the process': sizeKb(),
  RSS: process.memoryUsage.rss() / BYTES_OF_MB,
};
report(figures);
