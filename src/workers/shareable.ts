/**
 * What handles of one thread can and those of several cannot.
 *
 * @module
 */
import type { ResolvedOptions } from '../divert/options.ts';
import { UnsupportedError } from '../errors.ts';
import type { Filter } from '../filter/index.ts';

/**
 * Refuses what the threads would have to share and do not.
 *
 * @throws {@link UnsupportedError} saying what
 */
export function checkShareable(filter: Filter, options: ResolvedOptions): void {
  if (options.attribution || filter.usesProcess) {
    throw new UnsupportedError('workers', 'Workers do not know the processes of packets.', {
      hint: 'Use open() for `attribution` and filters that ask for a process.',
    });
  }
  if (namesSets(filter)) {
    throw new UnsupportedError('workers', 'Workers do not share named sets.', {
      hint: 'Write the members into the filter: ip.SrcAddr in {192.0.2.1, 198.51.100.0/24}.',
    });
  }
}

/** Whether a filter's text has an `@name`; an object string begins with `@` itself. */
function namesSets({ dialect, source }: Filter): boolean {
  return dialect === 'extended' && source.includes('@') && !source.startsWith('@');
}
