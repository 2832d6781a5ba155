/** The benchmarks run: every workload once, for a fraction of a second. Says nothing about times. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT } from '../helpers/command.ts';

/** What `--json` writes, as far as it is looked at. */
interface Report {
  readonly machine: Readonly<Record<string, unknown>>;
  readonly workloads: readonly {
    readonly workload: string;
    readonly baseline: string;
    readonly cells: readonly {
      readonly contestant: string;
      readonly measure: string;
      readonly unit: string;
      readonly summary: { readonly count: number; readonly median: number };
      readonly ratio: { readonly median: number } | null;
    }[];
    readonly skipped: Readonly<Record<string, string>>;
    readonly failures: readonly string[];
  }[];
}

const isCurve = (workload: string): boolean => workload.startsWith('curves-');
const TIMEOUT_MS = 300_000;
const folder = mkdtempSync(join(tmpdir(), 'netdivert-bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['scripts/bench.mjs', ...args], {
    cwd: ROOT,
    encoding: 'utf8',
  });
}

/** The same, when it was compiled just now. */
function compiled(...args: string[]): ReturnType<typeof bench> {
  const file = join(ROOT, '.cache/bench/bench/run.js');
  return spawnSync(process.execPath, [file, ...args], { cwd: ROOT, encoding: 'utf8' });
}

let names: readonly string[];
beforeAll(() => {
  const { stdout, stderr, status } = bench('--list');
  expect(status, stderr).toBe(0);
  names = stdout.split('\n').flatMap((line) => /^[a-z]\S+/.exec(line)?.[0] ?? []);
}, TIMEOUT_MS);

test('every workload runs, with netdivert and its baseline', { timeout: TIMEOUT_MS }, () => {
  const file = join(folder, 'once.json');
  const { stdout, stderr } = compiled('--once', '--json', file);
  const { machine, workloads } = JSON.parse(readFileSync(file, 'utf8')) as Report;
  expect(Object.keys(machine)).toEqual(
    expect.arrayContaining(['processor', 'cores', 'kernel', 'node']),
  );
  expect(workloads.map(({ workload }) => workload)).toEqual(names);
  for (const { workload, baseline, cells, skipped, failures } of workloads) {
    expect(failures, stderr).toEqual([]);
    const contestants = new Set(cells.map(({ contestant }) => contestant));
    // Curves are of netdivert alone: their contestants are sizes, of which the smallest has to do.
    expect(contestants, workload).toContain(isCurve(workload) ? baseline : 'netdivert');
    expect([...contestants, ...Object.keys(skipped)], workload).toContain(baseline);
    for (const { summary } of cells) {
      expect(summary.count).toBe(1);
      expect(Number.isFinite(summary.median)).toBe(true);
    }
    expect(stdout).toContain(`## ${workload}\n`);
  }
});

test('a group stands for its workloads', { timeout: TIMEOUT_MS }, () => {
  const { stdout, status } = compiled('curves', '--list');
  expect(status).toBe(0);
  expect(stdout.split('\n').filter((line) => isCurve(line))).not.toEqual([]);
  expect(stdout).not.toContain('udp64');
});

test('an unknown workload is named, with those that there are', { timeout: TIMEOUT_MS }, () => {
  const { status, stdout, stderr } = compiled('udp63');
  expect(status).toBe(2);
  expect(stderr).toContain('no workload udp63');
  expect(stdout).toContain('udp64');
});
