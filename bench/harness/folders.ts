/** Where things are, seen from the compiled copy in `.cache/bench/bench/harness`. */

import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const COMPILED: string = resolve(fileURLToPath(import.meta.url), '../..');
/** The project. */
export const ROOT: string = resolve(COMPILED, '../../..');
/** `bench/` of the project. */
export const SOURCES: string = join(ROOT, 'bench');
/** Compiled and downloaded things. */
export const CACHE: string = join(ROOT, '.cache/bench');
/** A compiled program of `bench/programs`. */
export const program = (name: string): string => join(COMPILED, 'programs', `${name}.js`);
