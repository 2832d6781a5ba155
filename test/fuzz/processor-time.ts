/**
 * Processor time of this process, in which one campaign runs.
 *
 * @module
 */

import { readFileSync } from 'node:fs';

/** `USER_HZ`, the same on every architecture that Node.js runs on. */
const TICKS_PER_SECOND = 100;
/** Of the fields behind the name: utime, stime, cutime, cstime of proc_pid_stat(5). */
const FIRST_TIME = 11;
const TIMES = 4;

/** Seconds of processor time up to now, of all threads and of child processes that have ended. */
export function processorSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = fields.slice(FIRST_TIME, FIRST_TIME + TIMES).map(Number);
  return ticks.reduce((sum, time) => sum + time, 0) / TICKS_PER_SECOND;
}
