/**
 * Collecting garbage now, without a flag of the process.
 *
 * @module
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** What nobody holds any more is gone when it returns. */
export const collectGarbage: () => void = runInNewContext('gc');
