/** Named sets of more and more members. */

import type { Workload } from '../../harness/workload.ts';
import { curve, grouped, runInNamespace } from './curve.ts';

const SIZES = [1000, 10_000, 100_000, 1_000_000];
const ms = { unit: 'ms', digits: 1 };
const megabytes = { unit: 'MB', digits: 1 };

const sets = (kind: string, title: string): Workload =>
  curve({
    name: `curves-set-${kind}`,
    title,
    measures: {
      'build the set': ms,
      'open a handle': ms,
      'event loop held up': { ...ms, compared: false },
      'processor time of it': ms,
      'add or delete one': { unit: 'us' },
      evaluate: { unit: 'ns', digits: 1 },
      'run in the kernel': { unit: 'ns', digits: 1 },
      'replace all': ms,
      close: ms,
      'in the process': megabytes,
      RSS: megabytes,
      'in the kernel': megabytes,
    },
    rounds: 2,
    sizes: SIZES,
    label: grouped,
    run: (size, options) => runInNamespace('curve-set', [kind, `${size}`], options),
  });

export const SET_CURVES: readonly Workload[] = [
  sets('addresses', 'A handle with a named set of IPv4 addresses'),
  sets('prefixes', 'A handle with a named set of IPv4 prefixes, all /29'),
];
