import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { MissingError } from './exit-code.ts';
import { tell } from './output.ts';
import type { ProcessSpec } from './process-spec.ts';

const NAME_BYTES = 15;

/**
 * Looks whether the processes are there. A name may get its process later: that is only said.
 *
 * @throws MissingError for a process id that nobody has
 */
export function checkProcesses(spec: ProcessSpec): void {
  for (const { process, negated } of spec) {
    if (typeof process === 'number') {
      if (existsSync(`/proc/${process}`)) continue;
      throw new MissingError(
        `process ${process}: there is none with this id`,
        `ps -e lists them; a name (--process curl) also means processes that start later.`,
      );
    }
    if (!negated && !isRunning(process)) {
      tell(`no process is called ${process} now; those that start later count`);
    }
  }
}

function isRunning(name: string): boolean {
  const known = Buffer.from(name).subarray(0, NAME_BYTES).toString();
  return readdirSync('/proc').some((entry) => /^\d+$/.test(entry) && commOf(entry) === known);
}

function commOf(pid: string): string | null {
  try {
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
  } catch {
    // It ended meanwhile.
    return null;
  }
}
