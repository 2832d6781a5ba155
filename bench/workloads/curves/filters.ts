/** Filters of more and more tests. */

import type { Workload } from '../../harness/workload.ts';
import { curve, runInNamespace } from './curve.ts';

const SIZES = [1, 16, 64, 128, 255];
const ms = { unit: 'ms' };
const count = { unit: '', digits: 0 };
const MEASURES: Workload['measures'] = {
  compile: { unit: 'us', digits: 1 },
  'generate JavaScript': { unit: 'us', digits: 1 },
  evaluate: { unit: 'ns', digits: 1 },
  instructions: count,
  'instructions, verified': count,
  'load and verify': ms,
  'run in the kernel': { unit: 'ns', digits: 1 },
  'program in the kernel': { unit: 'kB', digits: 1 },
  open: ms,
  close: ms,
  'in the process': { unit: 'kB', digits: 1 },
  RSS: { unit: 'MB', digits: 0, compared: false },
};

const filters = (name: string, title: string, kind: string): Workload =>
  curve({
    name,
    title,
    measures: MEASURES,
    rounds: 2,
    sizes: SIZES,
    label: (size) => (size === 1 ? '1 test' : `${size} tests`),
    run: (size, options) => runInNamespace('curve-filter', [kind, `${size}`], options),
  });

export const FILTER_CURVES: readonly Workload[] = [
  filters(
    'curves-filter',
    'Filters of eight kinds of tests in turn, all of which are evaluated',
    'different',
  ),
  filters('curves-filter-addresses', 'Filters of one address after the other', 'addresses'),
];
