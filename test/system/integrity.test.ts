/**
 * Bytes arrive as they were sent, whatever handle, device and wire do to the packets. The short form is a part of the
 * cases with a few megabytes each; the long form is `npm run trust -- integrity`.
 */
import { appendFileSync } from 'node:fs';
import { afterAll, expect, test } from 'vitest';
import { LONG, longCases, SHORT, shortCases } from '../integrity/cases.ts';
import { Stage } from '../integrity/stage.ts';
import { type Case, type Outcome, transfer } from '../integrity/transfer.ts';

const REPORT = process.env.TRUST_REPORT;
const SEED = Number(process.env.SEED ?? 1);
/** 'long', 'sketch': all cases, with few bytes; else some cases. */
const FORM = process.env.INTEGRITY;
const ONLY = process.env.INTEGRITY_ONLY;
const LIMIT_MS = 600_000;
/** Faults that are expected: none at all would be one case in 20,000. */
const CERTAIN = 10;

const stage = new Stage();
afterAll(() => stage.close());

function chooseCases(): Case[] {
  if (FORM === undefined) return shortCases(SHORT, SEED);
  const cases = longCases(FORM === 'long' ? LONG : SHORT, SEED);
  return ONLY === undefined ? cases : cases.filter(({ name }) => name.includes(ONLY));
}

function report({ name }: Case, { received, seconds, stats, befallen }: Outcome): void {
  if (!REPORT) return;
  const { changed, sent, dropped, lost, received: packets } = stats;
  const row = { name, bytes: received.bytes, seconds, changed, packets, sent, dropped, befallen };
  appendFileSync(REPORT, `${JSON.stringify({ ...row, lost: lost.total })}\n`);
}

test.each(chooseCases())('$name', { timeout: LIMIT_MS }, async (one) => {
  const outcome = await transfer(stage, one);
  const { sent, received, stats, rewrittenBytes, befallen } = outcome;
  expect(received).toEqual(sent);
  // The last datagram is a whole one.
  expect(received.bytes).toBeGreaterThanOrEqual(one.bytes);
  expect(rewrittenBytes).toBeGreaterThanOrEqual(one.bytes);
  const { dropped, lost, queued, held } = stats;
  expect(stats.received).toBe(stats.sent + dropped + lost.total);
  expect({ dropped, lost: lost.total, queued, held }).toEqual({
    dropped: 0,
    lost: 0,
    queued: 0,
    held: 0,
  });
  for (const fault of ['loss', 'reorder', 'duplicate', 'corrupt'] as const) {
    const share = one.faults?.[fault] ?? 0;
    if (share * (befallen.frames ?? 0) > CERTAIN) expect(befallen[fault]).toBeGreaterThan(0);
  }
  report(one, outcome);
});
