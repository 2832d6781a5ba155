import { testText } from '../../filter/format.ts';
import type { FilterTest, Label } from '../../filter/graph.ts';
import { compileFilter, type Filter } from '../../filter/index.ts';
import { EXIT } from '../exit-code.ts';
import { printJson } from '../json.ts';
import { type Direction, hookFields, hooksOf, printHook } from '../kernel-programs.ts';
import { formatTable, print, type Style, styleFor } from '../output.ts';
import {
  countTests,
  type FilterOptions,
  filterRecord,
  objectOf,
  tellWarnings,
} from './filter-check.ts';

export interface ExplainOptions extends FilterOptions {
  readonly direction?: Direction;
}

/**
 * `netdivert filter explain`: everything that is known about a filter before it runs.
 *
 * @throws {@link FilterError} when the filter is not valid
 */
export function filterExplain(text: string, options: ExplainOptions): number {
  const filter = compileFilter(text, options.layer, { dialect: options.dialect });
  const hooks = hooksOf(filter, options.direction);
  if (options.json) {
    printJson({ ...filterRecord(filter), graph: graphOf(filter), hooks: hooks.map(hookFields) });
    return EXIT.OK;
  }
  const style = styleFor(process.stdout);
  print(`${style('bold', 'filter')}  ${filter.format()}`);
  print(`${style('bold', 'object')}  ${objectOf(filter) ?? 'none in the extended dialect'}`);
  print(`${style('bold', 'tests ')}  ${countTests(filter)}`);
  print();
  printGraph(filter, style);
  for (const hook of hooks) {
    print();
    printHook(hook, style);
  }
  tellWarnings(filter);
  return EXIT.OK;
}

function graphOf(filter: Filter): readonly object[] {
  return filter.tests.map((test) => ({
    test: testText(test, filter.layer),
    success: test.success,
    failure: test.failure,
  }));
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
