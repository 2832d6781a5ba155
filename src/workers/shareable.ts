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
 * @param given what `filter` was compiled from
 * @throws {@link UnsupportedError} saying what
 */
export function checkShareable(
  filter: Filter,
  given: string | Filter,
  options: ResolvedOptions,
): void {
  if (options.attribution || filter.usesProcess) {
    throw new UnsupportedError('workers', 'Workers do not know the processes of packets.', {
      hint: 'Use open() for `attribution` and filters that ask for a process.',
    });
  }
  if (typeof given !== 'string' && namesSets(filter)) {
    throw new UnsupportedError('workers', 'Workers compile the filter anew, with its named sets.', {
      hint: "Give its text, and the options dialect: 'extended' and sets.",
    });
  }
}

/** Whether a filter's text has an `@name`; an object string begins with `@` itself. */
function namesSets({ dialect, source }: Filter): boolean {
  return dialect === 'extended' && source.includes('@') && !source.startsWith('@');
}
