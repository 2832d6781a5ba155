import { INTERPRETER } from './engines.ts';
import { testFilterEngine } from './filter-engine.ts';

testFilterEngine(INTERPRETER);
