/**
 * What differs from kernel to kernel without keeping handles from working: each way has its own path, found by trying.
 *
 * @module
 */

import { canChooseOrder, probeFeatures } from '../../linux/socket-layer/features.ts';
import { type Check, ok, warn } from './check.ts';
import { errorText } from './error-text.ts';

const PROGRAM_NAME = `ndivert_${process.pid}`;

/** A difference: what works with the feature, what instead of it without, and who brought it. */
interface Difference {
  readonly name: string;
  readonly since: string;
  readonly withIt: string;
  readonly withoutIt: string;
}

const DIFFERENCES = {
  hasReturnValue: {
    name: 'block-error',
    since: '5.18',
    withIt: 'blocked calls fail with the error that is asked for',
    withoutIt: 'blocked calls fail with EPERM only: blockError is refused',
  },
  knowsProcessInCallbacks: {
    name: 'listen-process',
    since: '6.16',
    withIt: 'LISTEN events have the process that calls listen()',
    withoutIt: 'LISTEN events have the process that bound or made the socket',
  },
  seesNamespaceOfPackets: {
    name: 'unused-sockets',
    since: '6.15',
    withIt: 'ACCEPT events of all UDP sockets',
    withoutIt: 'no ACCEPT events of UDP sockets that were never bound or used before',
  },
  choosesOrder: {
    name: 'event-order',
    since: '6.17',
    withIt: 'socket handles decide in the order of their priorities',
    withoutIt: 'socket handles decide in the order they were opened in, whatever their priorities',
  },
} as const satisfies Readonly<Record<string, Difference>>;

/** Loads small programs; hooks none of them in. */
export function checkFeatures(): Check[] {
  try {
    const features = { ...probeFeatures(PROGRAM_NAME), choosesOrder: canChooseOrder(PROGRAM_NAME) };
    const names = Object.keys(DIFFERENCES) as (keyof typeof DIFFERENCES)[];
    return names.map((key) => describe(DIFFERENCES[key], features[key]));
  } catch (error) {
    const advice = 'The lines of the flow and socket layers say what is missing.';
    return [warn('kernel-features', `cannot be tried: ${errorText(error)}`, advice)];
  }
}

function describe({ name, since, withIt, withoutIt }: Difference, isThere: boolean): Check {
  if (isThere) return ok(name, withIt);
  return warn(name, withoutIt, `Linux ${since} or newer does it, if it matters.`);
}
