/** Opening handles, importing the package, starting the command. */

import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { inArena } from '../harness/arena.ts';
import { program, ROOT } from '../harness/folders.ts';
import { TOOL_CPU } from '../harness/program.ts';
import type { Contestant, Figures, Workload } from '../harness/workload.ts';

const REPEATS = 5;
const FILTER = 'outbound and tcp.DstPort == 443';
const IMPORT_TIMEOUT_MS = 60_000;

const OPEN_CLOSE: Workload = {
  name: 'open-close',
  title: 'Opening and closing a handle, median of 100 in one process',
  baseline: 'netdivert',
  measures: { '*': { unit: 'ms' } },
  contestants: [
    {
      name: 'netdivert',
      run: ({ once }) =>
        inArena(({ b, run }) =>
          run<Figures>(
            b,
            {
              file: process.execPath,
              args: [program('open-close'), ...(once ? ['--once'] : [])],
            },
            IMPORT_TIMEOUT_MS,
          ),
        ),
    },
  ],
};

/** The file of the `netdivert` command. */
function command(): string {
  const { bin } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    readonly bin: { readonly netdivert: string };
  };
  return join(ROOT, bin.netdivert);
}

/** Milliseconds of a process from its start to its end. */
function wallTime(file: string, args: readonly string[]): { ms: number; text: string } {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync('taskset', ['-c', `${TOOL_CPU}`, file, ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr.trim());
  return { ms: performance.now() - start, text: stdout };
}

const importing = (name: string): string =>
  `const start = performance.now(); await import('${name}'); console.log(performance.now() - start);`;
const node = (source: string): { ms: number; text: string } =>
  wallTime(process.execPath, ['--input-type=module', '-e', source]);

/** The best of some: what the rest adds is the machine's. */
function best(count: number, measure: () => number): number {
  return Math.min(...Array.from({ length: count }, measure));
}

const START: readonly Contestant[] = [
  {
    name: 'netdivert',
    run: ({ once }) => {
      const count = once ? 1 : REPEATS;
      const imported = (name: string): number =>
        best(count, () => Number(node(importing(name)).text));
      return {
        "import 'netdivert'": imported('netdivert'),
        "import 'netdivert/filter'": imported('netdivert/filter'),
        "import 'netdivert/packet'": imported('netdivert/packet'),
        '--version': best(count, () => wallTime(process.execPath, [command(), '--version']).ms),
        'check a filter': best(
          count,
          () => wallTime(process.execPath, [command(), 'filter', 'check', FILTER]).ms,
        ),
      };
    },
  },
  {
    name: 'node alone',
    run: ({ once }) => ({ '--version': best(once ? 1 : REPEATS, () => node('').ms) }),
  },
  {
    name: 'tcpdump',
    always: true,
    run: ({ once }) => {
      const count = once ? 1 : REPEATS;
      const dump = ['-y', 'RAW', '-d', 'tcp dst port 443'];
      return {
        '--version': best(count, () => wallTime('tcpdump', ['--version']).ms),
        'check a filter': best(count, () => wallTime('tcpdump', dump).ms),
      };
    },
  },
];

export const STARTS: readonly Workload[] = [
  OPEN_CLOSE,
  {
    name: 'start-up',
    title: 'Importing the package, and commands from start to end',
    baseline: 'node alone',
    measures: { '*': { unit: 'ms', digits: 1 } },
    contestants: START,
  },
];
