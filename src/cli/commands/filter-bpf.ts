import { compileFilter } from '../../filter/index.ts';
import { EXIT, UsageError } from '../exit-code.ts';
import { printJson } from '../json.ts';
import { hookFields, hooksOf, printHook } from '../kernel-programs.ts';
import { print, styleFor } from '../output.ts';
import type { ExplainOptions } from './filter-explain.ts';

/**
 * `netdivert filter bpf`: the program of each hook with its listing, and whether it is exact.
 *
 * @throws {@link FilterError} when the filter is not valid
 * @throws UsageError on a layer without packets
 */
export function filterBpf(text: string, options: ExplainOptions): number {
  const filter = compileFilter(text, options.layer, { dialect: options.dialect });
  const hooks = hooksOf(filter, options.direction);
  if (hooks.length === 0) {
    throw new UsageError(`the ${filter.layer} layer has no packets, and no program for them`);
  }
  const style = styleFor(process.stdout);
  for (const [index, hook] of hooks.entries()) {
    if (options.json) printJson({ type: 'program', ...hookFields(hook) });
    else {
      if (index > 0) print();
      printHook(hook, style);
    }
  }
  return EXIT.OK;
}
