/** Filters: compiling them, evaluating them in JavaScript, running them in the kernel. */

import { compileFilter } from '../../src/filter/compile.ts';
import { FIELDS } from '../../src/filter/fields.ts';
import { type Label, OPERATORS } from '../../src/filter/graph.ts';
import { compile } from '../harness/native.ts';
import type { BenchOptions, Contestant, Figures, Workload } from '../harness/workload.ts';
import { FILTERS, MIX } from '../programs/mix.ts';
import { runNative, runProgram } from './programs.ts';

/** Of each of the C program's runs. */
const CALLS = 50_000;
const COMPILE_CALLS = 1_000;
/**
 * Nanoseconds of WinDivert 2.2's helpers, natively compiled (gcc -O2), measured on another machine (Xeon) over the same
 * mix: `WinDivertHelperEvalFilter` on a compiled object, and the helpers whose C counterparts are in `c/helpers.c`.
 */
export const WINDIVERT = {
  evaluate: { port: 56, ports: 81, 'list of 60': 1585, payload: 73 },
  helpers: { parse: 17.7, checksums: 216, hash: 22 },
} as const;

const label = (one: Label): number => (one === 'accept' ? -1 : one === 'reject' ? -2 : one);

/** Packets and decision graphs as `c/helpers.c` reads them. */
function helperInput(): string {
  const packets = MIX.map((packet) => `packet ${Buffer.from(packet).toString('hex')}`);
  const graphs = Object.entries(FILTERS).flatMap(([name, { windivert }]) => [
    `filter ${name}`,
    ...compileFilter(windivert).tests.map(({ field, operator, value, index, success, failure }) =>
      [
        'test',
        FIELDS[field]?.name,
        OPERATORS.indexOf(operator),
        value[0],
        label(success),
        label(failure),
        index,
      ].join(' '),
    ),
  ]);
  return `${[...packets, ...graphs].join('\n')}\n`;
}

/** Nanoseconds of our own C. */
export const runHelpers = (options: BenchOptions): Figures =>
  runNative('helpers', CALLS, helperInput(), options);

/** How much slower this machine is than the one of {@link WINDIVERT}: geometric mean of three C helpers. */
export function machineFactor(here: Figures): number {
  const ratios = Object.entries(WINDIVERT.helpers).map(
    ([name, there]) => (here[name] ?? 0) / there,
  );
  return Math.cbrt(ratios.reduce((product, ratio) => product * ratio, 1));
}

const onlyFilters = (figures: Figures): Figures =>
  Object.fromEntries(Object.keys(FILTERS).map((name) => [name, figures[name]]));

const step = (name: string, argument: string): Contestant => ({
  name,
  always: true,
  run: (options) => runProgram('filter', [argument], options),
});
const missingHelpers = (): string => compile('helpers');

const EVALUATE: readonly Contestant[] = [
  {
    name: 'WinDivert, scaled',
    missing: missingHelpers,
    run: (options) => {
      const factor = machineFactor(runHelpers(options));
      const scaled = Object.entries(WINDIVERT.evaluate).map(([name, ns]) => [name, ns * factor]);
      return Object.fromEntries([...scaled, ['factor', factor]]);
    },
  },
  step('netdivert', 'generated'),
  step('Filter.matches', 'matches'),
  step('interpreted', 'interpreted'),
  {
    name: 'C, graph decoded',
    always: true,
    missing: missingHelpers,
    run: (options) => onlyFilters(runHelpers(options)),
  },
];

const expressions = (): string =>
  Object.entries(FILTERS)
    .map(([name, { libpcap }]) => `${name}\t${libpcap}\n`)
    .join('');

const COMPILE: readonly Contestant[] = [
  {
    name: 'C libpcap',
    missing: () => compile('pcap-compile', ['pcap']),
    run: (options) => runNative('pcap-compile', COMPILE_CALLS, expressions(), options),
  },
  step('netdivert', 'compile'),
  step('generate JavaScript', 'generate'),
  step('format', 'format'),
];

const program = (name: string, argument: string): Contestant => ({
  name,
  always: true,
  run: (options) => runProgram('ebpf', [argument], options),
});

export const FILTER_WORKLOADS: readonly Workload[] = [
  {
    name: 'filter-evaluate',
    title: 'Evaluating a filter, eight packets in turn',
    baseline: 'WinDivert, scaled',
    measures: { factor: { unit: '', digits: 2, compared: false }, '*': { unit: 'ns', digits: 1 } },
    contestants: EVALUATE,
  },
  {
    name: 'filter-compile',
    title: 'Compiling a filter',
    baseline: 'C libpcap',
    measures: { '*': { unit: 'ns', digits: 0 } },
    contestants: COMPILE,
  },
  {
    name: 'ebpf',
    title: 'A filter in the kernel (BPF_PROG_TEST_RUN), mean of eight packets, loop included',
    baseline: 'libpcap, direct loads',
    measures: { '*': { unit: 'ns', digits: 1 } },
    contestants: [
      program('netdivert', 'netdivert'),
      program('libpcap, direct loads', 'libpcap'),
      program('libpcap, LD_ABS', 'libpcap-helper'),
    ],
  },
];
