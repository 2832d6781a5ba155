/**
 * Puts results into `docs/performance.md`: what stands between `<!-- bench: NAME -->` and `<!-- /bench -->` is the table
 * of that workload, of the targets, or of the machine.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatTargets } from '../targets.ts';
import { WORKLOADS } from '../workloads.ts';
import { ROOT } from './folders.ts';
import type { Machine } from './machine.ts';
import { formatOutcome, type Results } from './outcome.ts';

const DOCUMENT = join(ROOT, 'docs/performance.md');
const PLACE = /(<!-- bench: (\S+) -->\n).*?(<!-- \/bench -->)/gs;

/** Fills every place there is a result for; leaves the others as they are. */
export function fillDocument({ machine, workloads }: Results): void {
  const texts = new Map<string, string>([
    ['machine', formatMachine(machine)],
    ['targets', formatTargets(workloads)],
  ]);
  for (const workload of WORKLOADS) {
    const outcome = workloads.find((one) => one.workload === workload.name);
    if (outcome) texts.set(workload.name, formatOutcome(workload, outcome));
  }
  const fill = (whole: string, start: string, name: string, end: string): string => {
    const text = texts.get(name);
    return text === undefined ? whole : `${start}\n${text}\n\n${end}`;
  };
  writeFileSync(DOCUMENT, readFileSync(DOCUMENT, 'utf8').replace(PLACE, fill));
}

function formatMachine(machine: Machine): string {
  const { processor, cores, architecture, memoryGb, kernel, system, node, compiler } = machine;
  const kind = machine.virtual ? 'a virtual machine' : 'a machine';
  return (
    `These figures are of ${kind}: ${processor}, ${cores} processors, ${architecture}, ${memoryGb} GB; ` +
    `Linux ${kernel.split('-')[0]}, ${system}, Node.js ${node}, ${compiler}.`
  );
}
