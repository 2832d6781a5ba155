import { compileFilter, type Filter } from '../../filter/index.ts';
import type { Layer } from '../../packet/address.ts';
import { EXIT } from '../exit-code.ts';
import { print, styleFor, tell } from '../output.ts';

/**
 * `netdivert filter check`: prints the filter as WinDivert formats it; what is odd goes to standard
 * error.
 *
 * @throws {@link FilterError} when the filter is not valid
 */
export function filterCheck(text: string, options: { readonly layer: Layer }): number {
  const filter = compileFilter(text, options.layer);
  print(filter.format());
  tell(`${styleFor(process.stderr)('green', 'ok')}: ${countTests(filter)}`);
  tellWarnings(filter);
  return EXIT.OK;
}

/** `1 test` or so, on which layer. */
export function countTests(filter: Filter): string {
  const { length } = filter.tests;
  return `${length} test${length === 1 ? '' : 's'} on the ${filter.layer} layer`;
}

/** Writes a filter's warnings to standard error. */
export function tellWarnings(filter: Filter): void {
  const style = styleFor(process.stderr);
  for (const { position, message } of filter.warnings) {
    tell(`${style('yellow', 'warning')} at ${position}: ${message}`);
  }
}
