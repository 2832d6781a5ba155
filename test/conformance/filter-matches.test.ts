import { FILTER_MATCHES } from './engines.ts';
import { testFilterEngine } from './filter-engine.ts';

testFilterEngine(FILTER_MATCHES);
