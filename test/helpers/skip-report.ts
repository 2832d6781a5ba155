/**
 * Lists the live tests that were left out, with reasons, and fails the run for each that had no right to be:
 * see `kernel-version.ts`.
 *
 * @module
 */
import { release } from 'node:os';
import type { Reporter, TestCase, TestModule } from 'vitest/node';
import { faultOfSkip } from './kernel-version.ts';

const PROJECT = 'system';

export class SkipReport implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const notes = new Map<string, string[]>();
    let faults = 0;
    for (const { name, note, fault } of skippedTests(modules)) {
      if (fault !== null) {
        faults++;
        say(`FAIL  ${name}: ${fault}`);
      } else notes.set(note, [...(notes.get(note) ?? []), name]);
    }
    for (const [note, names] of notes) {
      say(`left out, needs ${note}`);
      for (const name of names) say(`      ${name}`);
    }
    if (faults > 0) process.exitCode = 1;
  }
}

interface Skipped {
  readonly name: string;
  readonly note: string;
  readonly fault: string | null;
}

function* skippedTests(modules: readonly TestModule[]): Generator<Skipped> {
  for (const module of modules) {
    if (module.project.name !== PROJECT) continue;
    for (const test of module.children.allTests('skipped')) {
      // Not chosen by --testNamePattern: that is the wish of whoever runs it.
      if (isFilteredOut(test)) continue;
      const result = test.result();
      const note = (result.state === 'skipped' && result.note) || '';
      const name = `${module.relativeModuleId} > ${test.fullName}`;
      yield { name, note, fault: faultOfSkip(note, release()) };
    }
  }
}

function isFilteredOut(test: TestCase): boolean {
  const pattern = test.project.config.testNamePattern;
  return pattern !== undefined && !pattern.test(test.fullName.replaceAll(' > ', ' '));
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
