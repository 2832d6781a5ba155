/**
 * The engines the fuzzer compares. The first is the reference.
 *
 * @module
 */

import { GENERATED_JAVASCRIPT, INTERPRETER } from '../conformance/engines.ts';
import type { FilterEngine } from '../conformance/filter-engine.ts';

export const ENGINES: readonly FilterEngine[] = [INTERPRETER, GENERATED_JAVASCRIPT];
