import { compileFilter } from '../../filter/index.ts';
import { EXIT } from '../exit-code.ts';
import { printJson } from '../json.ts';
import { print } from '../output.ts';
import { type FilterOptions, filterRecord } from './filter-check.ts';

export interface FormatOptions extends FilterOptions {
  readonly object?: boolean;
}

/**
 * `netdivert filter format`: the filter as text or as an object string, and nothing else.
 *
 * @throws {@link FilterError} when the filter is not valid
 */
export function filterFormat(text: string, options: FormatOptions): number {
  const { dialect, json, layer, object } = options;
  const filter = compileFilter(text, layer, { dialect });
  if (json) printJson(filterRecord(filter));
  else print(object ? filter.object : filter.format());
  return EXIT.OK;
}
