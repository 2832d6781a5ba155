/** What netdivert is to reach, and whether it does. */

import type { Outcome } from './harness/outcome.ts';
import { formatSummary, type Summary, summarizeRatios } from './harness/statistics.ts';
import type { Cell } from './harness/table.ts';

/** One figure of one workload, against another's or by itself. */
interface Target {
  readonly workload: string;
  readonly measure: string;
  /** Default: 'netdivert'. */
  readonly contestant?: string;
  /** 'best': whoever has the highest median of all that divert. Absent: the figure itself. */
  readonly against?: string;
  readonly atMost?: number;
  readonly atLeast?: number;
}

const PRODUCT = 'netdivert';
const BEST = 'best';
const TUNED = 'C tuned';
const PLAIN = 'C plain';
const SCALED = 'WinDivert, scaled';
const PCAP = 'C libpcap loop';
const FILTERS = ['port', 'ports', 'list of 60', 'payload'];
const FLOODS = ['udp64', 'udp1400', 'modify64', 'modify1400'];
const SNIFFS = ['sniff64', 'sniff64-headers', 'sniff1400', 'sniff1400-headers'];
const HELPERS = ['parsePacket', 'calcChecksums, 1500 bytes', 'hashPacket'];

const passed = { measure: 'passed', atLeast: 1 };
const TARGETS: readonly Target[] = [
  { workload: 'drain64', measure: 'CPU', against: TUNED, atMost: 1 },
  { workload: 'drain64', measure: 'CPU', against: `${PLAIN}, long queue`, atMost: 0.8 },
  ...FLOODS.map((workload) => ({ workload, ...passed, against: BEST })),
  { workload: 'tcp', measure: 'received', against: TUNED, atLeast: 1 },
  { workload: 'tcp-large', measure: 'received', against: TUNED, atLeast: 1 },
  {
    workload: 'friendly',
    measure: 'on one core',
    contestant: 'netdivert, one by one',
    against: PRODUCT,
    atLeast: 0.6,
  },
  { workload: 'latency', measure: 'p50', against: PLAIN, atMost: 1.1 },
  { workload: 'latency', measure: 'p99', against: PLAIN, atMost: 1.25 },
  { workload: 'selective', measure: 'passed', against: 'none', atLeast: 0.97 },
  ...SNIFFS.map((workload) => ({ workload, measure: 'captured', against: PCAP, atLeast: 1 })),
  ...FILTERS.map((measure) => ({
    workload: 'filter-evaluate',
    measure,
    against: SCALED,
    atMost: 1,
  })),
  ...FILTERS.map((measure) => ({
    workload: 'ebpf',
    measure,
    against: 'libpcap, direct loads',
    atMost: 1,
  })),
  ...HELPERS.map((measure) => ({ workload: 'packet', measure, against: SCALED, atMost: 2 })),
  { workload: 'open-close', measure: 'divert: open + close', atMost: 10 },
  { workload: 'start-up', measure: "import 'netdivert'", atMost: 60 },
];

/** Who takes no packets, or is netdivert itself. */
const NO_PEERS = /^(?:none|netdivert)/;

function cellOf({ cells }: Outcome, contestant: string, measure: string): Cell | undefined {
  return cells.find((cell) => cell.contestant === contestant && cell.measure === measure);
}

function bestPeer({ cells }: Outcome, measure: string): string {
  const peers = cells.filter((cell) => cell.measure === measure && !NO_PEERS.test(cell.contestant));
  const [best] = peers.sort((a, b) => b.summary.median - a.summary.median);
  return best?.contestant ?? BEST;
}

/** One row of the table; null when it was not measured. */
function row(target: Target, outcomes: readonly Outcome[]): string[] | null {
  const { workload, measure, contestant = PRODUCT, against, atMost, atLeast } = target;
  const outcome = outcomes.find((one) => one.workload === workload);
  const cell = outcome && cellOf(outcome, contestant, measure);
  if (!cell) return null;
  const peer = against === BEST ? bestPeer(outcome, measure) : against;
  const summary: Summary | null =
    peer === undefined
      ? cell.summary
      : summarizeRatios(cell.values, cellOf(outcome, peer, measure)?.values ?? []);
  if (summary === null) return null;
  const unit = peer === undefined ? ` ${cell.unit}` : ` x ${peer}`;
  const holds =
    summary.median <= (atMost ?? Number.POSITIVE_INFINITY) && summary.median >= (atLeast ?? 0);
  const limit = atMost === undefined ? `>= ${atLeast}` : `<= ${atMost}`;
  const wanted = `${limit}${against === BEST ? ' x best peer' : unit}`;
  return [
    `\`${workload}\`: ${measure}`,
    wanted,
    `${formatSummary(summary, peer === undefined ? 1 : 2)}${unit}`,
    holds ? 'yes' : '**no**',
  ];
}

/** The table of all targets that were measured. */
export function formatTargets(outcomes: readonly Outcome[]): string {
  const rows = TARGETS.flatMap((target) => {
    const cells = row(target, outcomes);
    return cells === null ? [] : [cells];
  });
  const head = ['target', 'wanted', 'here', 'holds'];
  return [head, head.map(() => '---'), ...rows].map((one) => `| ${one.join(' | ')} |`).join('\n');
}
