import { GENERATED_JAVASCRIPT } from './engines.ts';
import { testFilterEngine } from './filter-engine.ts';

testFilterEngine(GENERATED_JAVASCRIPT);
