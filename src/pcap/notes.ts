/**
 * What pcapng has no option for, as comments of a fixed form that people read in Wireshark too.
 *
 * @module
 */

import type { CaptureRecord } from './record.ts';

const DROPPED = 'dropped: ';
const PROCESS = /^process: (.*) \(\d+\)$/s;

/** @internal */
export function processComment(name: string, processId: number): string {
  return `process: ${name} (${processId})`;
}

/** @internal */
export function dropComment(reason: string): string {
  return DROPPED + reason;
}

/**
 * Name of the process a packet belongs to, as `writeCapture` notes it: `process: NAME (PID)`.
 *
 * @returns null when no comment says it
 */
export function processName(record: Pick<CaptureRecord, 'comments'>): string | null {
  for (const comment of record.comments) {
    const found = PROCESS.exec(comment);
    if (found) return found[1] ?? null;
  }
  return null;
}

/**
 * Why a packet was dropped, as `writeCapture` notes it: `dropped: REASON`.
 *
 * @returns null when no comment says it
 */
export function dropReason(record: Pick<CaptureRecord, 'comments'>): string | null {
  const comment = record.comments.find((text) => text.startsWith(DROPPED));
  return comment === undefined ? null : comment.slice(DROPPED.length);
}
