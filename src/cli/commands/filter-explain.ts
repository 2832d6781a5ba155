import { formatListing } from '../../bpf/listing.ts';
import { type BpfOptions, type BpfProgram, compileBpf } from '../../filter/emit-bpf.ts';
import { testText } from '../../filter/format.ts';
import type { FilterTest, Label } from '../../filter/graph.ts';
import { compileFilter, type Filter } from '../../filter/index.ts';
import type { Layer } from '../../packet/address.ts';
import { EXIT } from '../exit-code.ts';
import { formatTable, print, type Style, styleFor } from '../output.ts';
import { countTests, tellWarnings } from './filter-check.ts';

export interface ExplainOptions {
  readonly layer: Layer;
  readonly direction?: 'inbound' | 'outbound';
}

type Direction = 'inbound' | 'outbound';

/** A place in the kernel where the filter runs as a program of its own. */
interface Hook {
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

/**
 * `netdivert filter explain`: everything that is known about a filter before it runs.
 *
 * @throws {@link FilterError} when the filter is not valid
 */
export function filterExplain(text: string, options: ExplainOptions): number {
  const filter = compileFilter(text, options.layer);
  const style = styleFor(process.stdout);
  print(`${style('bold', 'filter')}  ${filter.format()}`);
  print(`${style('bold', 'object')}  ${filter.object}`);
  print(`${style('bold', 'tests ')}  ${countTests(filter)}`);
  print();
  printGraph(filter, style);
  for (const hook of hooksOf(filter, options.direction)) printHook(hook, style);
  tellWarnings(filter);
  return EXIT.OK;
}

function printGraph(filter: Filter, style: Style): void {
  const rows = filter.tests.map((test: FilterTest, index) => [
    String(index),
    testText(test, filter.layer),
    labelText(test.success),
    labelText(test.failure),
  ]);
  const [header = '', ...lines] = formatTable([['#', 'test', 'if so', 'if not'], ...rows]);
  print(style('dim', header));
  for (const line of lines) print(line);
}

function labelText(label: Label): string {
  return typeof label === 'number' ? `go to ${label}` : label;
}

/** The programs a handle would load, those that match nothing included. */
function hooksOf(filter: Filter, only: Direction | undefined): Hook[] {
  const compile = (title: string, options: BpfOptions): Hook => ({
    title,
    program: compileBpf(filter.tests, { impostor: false, ...options }),
  });
  if (filter.layer === 'forward') return [compile('forwarded (FORWARD)', { layer: 'forward' })];
  if (filter.layer !== 'network') return [];
  const hooks: Hook[] = [];
  if (only !== 'inbound') {
    const outbound = { layer: 'network', direction: 'outbound' } as const;
    const either = compile('outbound (LOCAL_OUT)', outbound);
    if (either.program.needsLoopbackVariants) {
      hooks.push(
        compile('outbound, loopback (LOCAL_OUT)', { ...outbound, loopback: true }),
        compile('outbound, not loopback (LOCAL_OUT)', { ...outbound, loopback: false }),
      );
    } else hooks.push(either);
  }
  if (only !== 'outbound') {
    const inbound = { layer: 'network', direction: 'inbound', loopback: false } as const;
    hooks.push(compile('inbound (LOCAL_IN)', inbound));
  }
  return hooks;
}

function printHook({ title, program }: Hook, style: Style): void {
  print();
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
