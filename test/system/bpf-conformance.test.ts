import { compileFilter } from '../../src/filter/compile.ts';
import { FIELD } from '../../src/filter/fields.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import { type FilterCase, testFilterEngine } from '../conformance/filter-engine.ts';
import { createBpfEngine, hasForeignFields } from '../helpers/bpf-engine.ts';

const NEVER_KNOWN: ReadonlySet<number> = new Set([
  FIELD.timestamp,
  FIELD.random8,
  FIELD.random16,
  FIELD.random32,
]);

function testsOf({ filter, layer }: FilterCase): readonly FilterTest[] {
  try {
    return compileFilter(filter, layer).tests;
  } catch {
    // Refused before any engine sees it.
    return [];
  }
}

testFilterEngine(createBpfEngine(), [
  {
    reason: 'a program cannot know the time stamp that its packet will get, nor its hash with it',
    kind: 'unknown',
    applies: (filterCase) => testsOf(filterCase).some(({ field }) => NEVER_KNOWN.has(field)),
  },
  {
    reason: 'a program that reaches a field of another layer does not match and has no errors',
    kind: 'unknown',
    applies: (filterCase) =>
      hasForeignFields(testsOf(filterCase), filterCase.layer as 'network' | 'forward'),
  },
]);
