import { FilterError } from '../../errors.ts';
import { compileFilter, type Dialect, type Filter } from '../../filter/index.ts';
import type { Layer } from '../../packet/address.ts';
import { EXIT } from '../exit-code.ts';
import { type JsonRecord, printJson } from '../json.ts';
import { plural, print, styleFor, tell } from '../output.ts';

/** Options of the commands on filters. */
export interface FilterOptions {
  readonly layer: Layer;
  readonly dialect?: Dialect;
  readonly json?: boolean;
}

/**
 * `netdivert filter check`: prints the filter as WinDivert formats it; what is odd goes to standard
 * error.
 *
 * @throws {@link FilterError} when the filter is not valid
 */
export function filterCheck(text: string, options: FilterOptions): number {
  const { dialect, json, layer } = options;
  if (json) return checkAsJson(text, options);
  const filter = compileFilter(text, layer, { dialect });
  print(filter.format());
  tell(`${styleFor(process.stderr)('green', 'ok')}: ${countTests(filter)}`);
  tellWarnings(filter);
  return EXIT.OK;
}

function checkAsJson(text: string, { dialect, layer }: FilterOptions): number {
  try {
    printJson(filterRecord(compileFilter(text, layer, { dialect })));
    return EXIT.OK;
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    const { code, hint, position } = error;
    const [message = ''] = error.message.split('\n');
    printJson({ type: 'filter', valid: false, layer, source: text, code, position, message, hint });
    return EXIT.USAGE;
  }
}

/** A filter for programs. */
export function filterRecord(filter: Filter): JsonRecord {
  return {
    type: 'filter',
    valid: true,
    layer: filter.layer,
    source: filter.source,
    text: filter.format(),
    object: objectOf(filter),
    tests: filter.tests.length,
    warnings: filter.warnings,
  };
}

/** The object string, or null: fields of the extended dialect have none. */
export function objectOf(filter: Filter): string | null {
  try {
    return filter.object;
  } catch {
    return null;
  }
}

/** `1 test` or so, on which layer. */
export function countTests(filter: Filter): string {
  return `${plural(filter.tests.length, 'test')} on the ${filter.layer} layer`;
}

/** Writes a filter's warnings to standard error. */
export function tellWarnings(filter: Filter): void {
  const style = styleFor(process.stderr);
  for (const { position, message } of filter.warnings) {
    tell(`${style('yellow', 'warning')} at ${position}: ${message}`);
  }
}
