/**
 * The eBPF programs of a filter, one for each hook of the kernel, for people to read.
 *
 * @module
 */

import { formatListing } from '../bpf/listing.ts';
import { type BpfOptions, type BpfProgram, compileBpf } from '../filter/emit-bpf.ts';
import type { Filter } from '../filter/index.ts';
import { print, type Style } from './output.ts';

export type Direction = 'inbound' | 'outbound';

/** A place in the kernel where the filter runs as a program of its own. */
export interface Hook {
  /** As netfilter calls it. */
  readonly hook: 'LOCAL_OUT' | 'LOCAL_IN' | 'FORWARD';
  readonly title: string;
  readonly program: BpfProgram;
}

const REASONS: Readonly<Record<string, string>> = {
  'not-in-context': 'the program is not told',
  'needs-variants': 'decided by which program runs',
  'checksum-not-final': 'filled in after the program ran',
  'differs-in-segments': 'differs between a large packet and the segments it is cut into',
  'too-complex': 'too many combinations of unknown tests',
};

/** The programs a handle would load, those that match nothing included; none on the event layers. */
export function hooksOf(filter: Filter, only: Direction | undefined): Hook[] {
  const compile = (hook: Hook['hook'], title: string, options: BpfOptions): Hook => ({
    hook,
    title: `${title} (${hook})`,
    program: compileBpf(filter.tests, { impostor: false, ...options }),
  });
  if (filter.layer === 'forward') return [compile('FORWARD', 'forwarded', { layer: 'forward' })];
  if (filter.layer !== 'network') return [];
  const hooks: Hook[] = [];
  if (only !== 'inbound') {
    const outbound = { layer: 'network', direction: 'outbound' } as const;
    const either = compile('LOCAL_OUT', 'outbound', outbound);
    if (either.program.needsLoopbackVariants) {
      hooks.push(
        compile('LOCAL_OUT', 'outbound, loopback', { ...outbound, loopback: true }),
        compile('LOCAL_OUT', 'outbound, not loopback', { ...outbound, loopback: false }),
      );
    } else hooks.push(either);
  }
  if (only !== 'outbound') {
    const inbound = { layer: 'network', direction: 'inbound', loopback: false } as const;
    hooks.push(compile('LOCAL_IN', 'inbound', inbound));
  }
  return hooks;
}

/** Prints a hook with its program. */
export function printHook({ title, program }: Hook, style: Style): void {
  print(`${style('bold', title)}: ${summary(program)}`);
  for (const { field, reason } of program.inexact) {
    print(`  ${style('yellow', field)}: ${REASONS[reason] ?? reason}`);
  }
  if (!program.exact) print('  What it lets through is checked again before a program sees it.');
  // A program that decides nothing has no listing worth reading.
  if (program.constant === null) print(formatListing(program).trimEnd());
}

function summary(program: BpfProgram): string {
  if (program.constant === false) return 'no packet can match, the hook is not used';
  const size = `${program.instructions.length} instructions`;
  if (program.constant === true) {
    return `${program.exact ? 'every packet matches' : 'lets every packet through'}, ${size}`;
  }
  if (program.exact) return `exact in the kernel, ${size}`;
  if (program.exactWithoutSegments) return `exact in the kernel but for large packets, ${size}`;
  return `not exact in the kernel, ${size}`;
}

/** A hook for programs. */
export function hookFields({ hook, title, program }: Hook): Readonly<Record<string, unknown>> {
  return {
    hook,
    title,
    exact: program.exact,
    constant: program.constant,
    inexact: program.inexact.map(({ field, reason }) => ({ field, reason })),
    instructions: program.instructions.length,
    listing: program.constant === null ? formatListing(program).trimEnd().split('\n') : [],
  };
}
