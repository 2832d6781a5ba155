/**
 * Rows of the table: one for each process, or one for each flow.
 *
 * @module
 */

import { formatEnd } from '../events/event-line.ts';
import { safeText } from '../packet-line.ts';
import type { Flow } from './flow-table.ts';
import type { Sort, TopState } from './top-state.ts';

export interface TopRow {
  /** Stays the same from one picture to the next. */
  readonly key: string;
  readonly process: string;
  /** What is at the ends, or how many flows there are. */
  readonly what: string;
  /** Bytes a second. */
  readonly outboundRate: number;
  readonly inboundRate: number;
  readonly bytes: number;
  /** Filter for its packets in the extended dialect; null where there is none. */
  readonly filter: string | null;
}

/** The rows in order. */
export function rowsOf(flows: readonly Flow[], { sort, view }: TopState): TopRow[] {
  const rows = view === 'flows' ? flows.map(flowRow) : processRows(flows);
  return rows.sort(COMPARE[sort]);
}

const rateOf = (row: TopRow): number => row.outboundRate + row.inboundRate;
const byText = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
/** Equal ones keep their places from one picture to the next. */
const byKey = (one: TopRow, other: TopRow): number => byText(one.key, other.key);

const COMPARE: Readonly<Record<Sort, (one: TopRow, other: TopRow) => number>> = {
  rate: (a, b) => rateOf(b) - rateOf(a) || b.bytes - a.bytes || byKey(a, b),
  total: (a, b) => b.bytes - a.bytes || byKey(a, b),
  process: (a, b) => byText(a.process, b.process) || byKey(a, b),
  remote: (a, b) => byText(a.what, b.what) || byKey(a, b),
};

function flowRow(flow: Flow): TopRow {
  const { inbound, key, localAddress, localPort, outbound, remoteAddress, remotePort } = flow;
  return {
    key,
    process: processText(flow),
    what: `${flow.protocol} ${formatEnd(localAddress, localPort)} ${formatEnd(remoteAddress, remotePort)}`,
    outboundRate: outbound.rate,
    inboundRate: inbound.rate,
    bytes: outbound.bytes + inbound.bytes,
    filter: flowFilter(flow),
  };
}

function processRows(flows: readonly Flow[]): TopRow[] {
  const groups = new Map<string, Flow[]>();
  for (const flow of flows) {
    const name = processText(flow);
    const group = groups.get(name);
    if (group) group.push(flow);
    else groups.set(name, [flow]);
  }
  return [...groups].map(([process, group]) => {
    const sum = (of: (flow: Flow) => number): number =>
      group.reduce((total, flow) => total + of(flow), 0);
    const pid = group[0]?.process?.pid;
    return {
      key: process,
      process,
      what: `${group.length} flow${group.length === 1 ? '' : 's'}`,
      outboundRate: sum(({ outbound }) => outbound.rate),
      inboundRate: sum(({ inbound }) => inbound.rate),
      bytes: sum(({ inbound, outbound }) => inbound.bytes + outbound.bytes),
      filter: pid === undefined ? null : `processId == ${pid}`,
    };
  });
}

function processText({ process }: Flow): string {
  return process === null ? '-' : `${safeText(process.name ?? '?')}[${process.pid}]`;
}

function flowFilter(flow: Flow): string | null {
  const { localAddress, localPort, protocol, remoteAddress, remotePort } = flow;
  if (protocol !== 'tcp' && protocol !== 'udp') return null;
  return `${protocol} and localAddr == ${localAddress} and localPort == ${localPort} and remoteAddr == ${remoteAddress} and remotePort == ${remotePort}`;
}
