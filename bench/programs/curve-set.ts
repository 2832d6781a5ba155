/**
 * What a named set of so many members costs, inside a namespace.
 *
 *   curve-set.js addresses|prefixes MEMBERS [--once]
 */

import { compileFilter } from '../../src/filter/compile.ts';
import { compileMatcher } from '../../src/filter/emit-js.ts';
import { FilterSet } from '../../src/filter/index.ts';
import { MATCH, MatchInput } from '../../src/filter/match-input.ts';
import { open } from '../../src/index.ts';
import { loadProgram } from '../../src/linux/bpf/program.ts';
import { TestRunner } from '../../src/linux/bpf/test-run.ts';
import { FilterSetMaps } from '../../src/linux/filter-sets.ts';
import { compileForHooks } from '../../src/linux/hooks.ts';
import { NF_INET } from '../../src/linux/nftables/constants.ts';
import { ipv4, tcp } from '../../test/helpers/build-packet.ts';
import { measure, report } from './measure.ts';
import { memoryUse } from './memory.ts';

const once = process.argv.includes('--once');
const [, , kind = '', count = '1000'] = process.argv;
const MEMBERS = Number(count);
const REPEAT = once ? 1000 : 50_000;
/** Looked up in turn, every second one a member: more than a processor's caches keep at hand. */
const PACKETS = 8192;
const PACKETS_IN_KERNEL = once ? 4 : 64;
const CHANGES = once ? 50 : 2000;
const NAME = 'ndivert_bench';
/** Of 2^20 places in a network of 2^24 addresses, in an order that is not that of the addresses. */
const STRIDE = 0x9e37b;
const PLACES = 1 << 20;

/** Address of a place, none of which is in another's prefix. */
function addressOf(at: number): string {
  const place = ((at * STRIDE) & (PLACES - 1)) << 4;
  return `10.${(place >> 16) & 255}.${(place >> 8) & 255}.${place & 255}`;
}

const SUFFIX: Readonly<Record<string, string>> = { addresses: '', prefixes: '/29' };
const suffix = SUFFIX[kind];
if (suffix === undefined) throw new Error(`curve-set.js ${Object.keys(SUFFIX).join('|')} MEMBERS`);

function* members(): Generator<string> {
  for (let at = 0; at < MEMBERS; at++) yield addressOf(at) + suffix;
}

function time(action: () => unknown): number {
  const start = performance.now();
  action();
  return performance.now() - start;
}

/** What comes of an action, how long it takes, and for how long of this the event loop stood still at most. */
async function blocking<T>(
  action: () => Promise<T>,
): Promise<[T, totalMs: number, longestMs: number]> {
  let longest = 0;
  let isDone = false;
  const start = performance.now();
  let last = start;
  const turn = (): void => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const result = await action();
  turn();
  isDone = true;
  return [result, performance.now() - start, longest];
}

const packets = Array.from({ length: PACKETS }, (_, at) => {
  const member = (at * 127) % MEMBERS;
  // Eight addresses further is outside of a member, and of its prefix.
  const source =
    at % 2 === 0
      ? addressOf(member)
      : addressOf(member).replace(/\d+$/, (last) => `${Number(last) + 8}`);
  return ipv4({ source }, tcp({}));
});

// What the first handle needs, every program has.
await (await open('false')).close();
const before = memoryUse();
let blocked = new FilterSet();
const buildMs = time(() => {
  blocked = new FilterSet(members());
});
const built = memoryUse();
const options = { dialect: 'extended', sets: { blocked } } as const;
const filter = compileFilter('ip.SrcAddr in @blocked', 'network', options);

const processorBefore = process.cpuUsage();
const [handle, openMs, longestMs] = await blocking(() => open(filter));
const { user, system } = process.cpuUsage(processorBefore);
const filled = memoryUse();

/** Microseconds of a change of one member, in the kernel too. */
function changing(): number {
  const other = (at: number): string => `172.16.${(at >> 4) & 255}.${(at & 15) << 4}${suffix}`;
  const ms = time(() => {
    for (let at = 0; at < CHANGES; at++) blocked.add(other(at));
    for (let at = 0; at < CHANGES; at++) blocked.delete(other(at));
  });
  return (ms * 1000) / (2 * CHANGES);
}

function evaluation(): number {
  const matcher = compileMatcher(filter.tests, 'network');
  const input = new MatchInput();
  return measure(100_000, (index) => {
    const at = index % PACKETS;
    input.memory = packets[at] ?? input.memory;
    input.length = input.memory.length;
    if ((matcher(input) === MATCH.YES) !== (at % 2 === 0)) throw new Error(`packet ${at} is wrong`);
  });
}

function inKernel(): number {
  using maps = new FilterSetMaps(filter.kernelSets, NAME);
  const hooks = compileForHooks(filter, 0, { adapt: (given) => ({ ...given, sets: maps.maps }) });
  const found = hooks.find(({ hook }) => hook === NF_INET.LOCAL_OUT);
  if (!found) throw new Error('nothing at the output hook');
  using program = loadProgram(found.program.instructions, { name: NAME });
  const runner = new TestRunner(2048);
  let total = 0;
  for (let at = 0; at < PACKETS_IN_KERNEL; at++) {
    const packet = packets[at] ?? new Uint8Array();
    const { durationNs, result } = runner.run(program.fd, packet, 4, {}, REPEAT);
    if ((result !== 0) !== (at % 2 === 0)) throw new Error(`packet ${at} is wrong in the kernel`);
    total += durationNs;
  }
  return total / PACKETS_IN_KERNEL;
}

report({
  'build the set': buildMs,
  'open a handle': openMs,
  'event loop held up': longestMs,
  'processor time of it': (user + system) / 1000,
  'add or delete one': changing(),
  evaluate: evaluation(),
  'run in the kernel': inKernel(),
  'replace all': time(() => blocked.replace(members())),
  close: (await blocking(() => handle.close()))[1],
  'in the process': built.scriptMb - before.scriptMb,
  RSS: filled.residentMb - before.residentMb,
  'in the kernel': filled.mapsMb - built.mapsMb,
});
