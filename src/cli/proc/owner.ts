import { readFileSync, statSync } from 'node:fs';

/** Who a process is. */
export interface ProcessOwner {
  readonly userId: number;
  /** With its arguments; the name where that cannot be read. */
  readonly commandLine: string;
}

/** Looks a process up; null when it is not there any more. */
export function readOwner(pid: number): ProcessOwner | null {
  try {
    const userId = statSync(`/proc/${pid}`).uid;
    const words = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean);
    const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trimEnd();
    const text = words.length > 0 ? words.join(' ') : `[${name}]`;
    return { userId, commandLine: `process ${pid}: ${text.replace(/[\p{Cc}\p{Cf}]/gu, '?')}` };
  } catch {
    return null;
  }
}
