/**
 * Nanoseconds of a filter's program in the kernel (BPF_PROG_TEST_RUN), mean of the packets of the mix.
 *
 *   ebpf.js netdivert|libpcap|libpcap-helper [--once]
 *
 * The kernel's loop around a program is in all figures; 'empty' is what it costs alone.
 */

import { execFileSync } from 'node:child_process';
import { Assembler } from '../../src/bpf/assembler.ts';
import { type Instruction, R0 } from '../../src/bpf/instruction.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { BPF_PROG_TYPE } from '../../src/linux/bpf/constants.ts';
import { loadProgram } from '../../src/linux/bpf/program.ts';
import { TestRunner } from '../../src/linux/bpf/test-run.ts';
import { compileForHooks } from '../../src/linux/hooks.ts';
import { NF_INET } from '../../src/linux/nftables/constants.ts';
import { lowerClassic } from './classic-filter.ts';
import { report } from './measure.ts';
import { FILTERS, type FilterPair, MIX, versionOf } from './mix.ts';

const once = process.argv.includes('--once');
const REPEAT = once ? 1000 : 1_000_000;
const RUNS = once ? 1 : 5;

interface Loadable {
  readonly instructions: readonly Instruction[];
  readonly type: number;
}

const { SOCKET_FILTER, CGROUP_SKB } = BPF_PROG_TYPE;
const classic = ({ libpcap }: FilterPair): string =>
  execFileSync('tcpdump', ['-y', 'RAW', '-ddd', libpcap], { encoding: 'utf8' });

const ENGINES: Readonly<Record<string, (pair: FilterPair) => Loadable>> = {
  // The program that a handle really has at the output hook, its test for marked packets included.
  netdivert: ({ windivert }) => {
    const hooks = compileForHooks(compileFilter(windivert), 0);
    const found = hooks.find(({ hook }) => hook === NF_INET.LOCAL_OUT);
    if (!found) throw new Error(`${windivert}: nothing at the output hook`);
    return { instructions: found.program.instructions, type: SOCKET_FILTER };
  },
  libpcap: (pair) => ({ instructions: lowerClassic(classic(pair), 'direct'), type: CGROUP_SKB }),
  'libpcap-helper': (pair) => ({
    instructions: lowerClassic(classic(pair), 'helper'),
    type: SOCKET_FILTER,
  }),
};

function empty(): readonly Instruction[] {
  const assembler = new Assembler();
  assembler.moveImmediate(R0, 0);
  assembler.exit();
  return assembler.assemble().instructions;
}

const runner = new TestRunner(2048);

/** Mean over the mix, of each packet the best run; and which packets match. */
function run({ instructions, type }: Loadable): { ns: number; matched: string } {
  using program = loadProgram(instructions, { name: 'ndivert_bench', type });
  let total = 0;
  let matched = '';
  for (const packet of MIX) {
    let best = Number.POSITIVE_INFINITY;
    let result = 0;
    for (let count = 0; count < RUNS; count++) {
      const outcome = runner.run(program.fd, packet, versionOf(packet), {}, REPEAT);
      best = Math.min(best, outcome.durationNs);
      result = outcome.result;
    }
    total += best;
    matched += result === 0 ? '-' : 'x';
  }
  return { ns: total / MIX.length, matched };
}

const engine = ENGINES[process.argv[2] ?? ''];
if (!engine) throw new Error(`ebpf.js ${Object.keys(ENGINES).join('|')}`);
const { type } = engine(FILTERS.port ?? { windivert: 'true', libpcap: '' });
const figures: Record<string, number> = { empty: run({ instructions: empty(), type }).ns };
for (const [name, pair] of Object.entries(FILTERS)) {
  const { ns, matched } = run(engine(pair));
  process.stderr.write(`${name}: ${matched}\n`);
  figures[name] = ns;
}
report(figures);
