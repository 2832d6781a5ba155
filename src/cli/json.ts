/**
 * Output for programs: one JSON object a line, described in docs/cli-json.md.
 *
 * @module
 */

import { print } from './output.ts';

/** Raised when a field changes its meaning or goes away; new fields do not raise it. */
export const JSON_VERSION = 1;

const NS_PER_MS = 1_000_000n;
const NS_PER_SECOND = 1_000_000_000n;

/** A line of output. */
export interface JsonRecord {
  /** What kind of line it is. */
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Writes a line. Fields that are undefined are left out, 64-bit numbers are decimal text. */
export function printJson(record: JsonRecord): void {
  print(formatJson(record));
}

/** The line, without its end. */
export function formatJson(record: JsonRecord): string {
  return JSON.stringify({ v: JSON_VERSION, ...record }, (_key, value) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}

/** A time in UTC with nanoseconds: `2026-01-01T00:00:00.000000001Z`. */
export function formatIsoTime(timestampNs: bigint): string {
  const seconds = new Date(Number(timestampNs / NS_PER_MS)).toISOString().slice(0, 19);
  return `${seconds}.${String(timestampNs % NS_PER_SECOND).padStart(9, '0')}Z`;
}
