/**
 * The live suite as it runs on other kernels, in a virtual machine: what is in it, and what comes first.
 *
 * @module
 */
import type { TestSpecification } from 'vitest/node';
import { BaseSequencer } from 'vitest/node';

/** What cannot be about the kernel. Everything else in test/system runs. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  'test/system/bench.test.ts': 'times, and a processor that is emulated has none',
  'test/system/examples.test.ts': 'examples of the docs, made of what other files test',
  'test/system/cookbook.test.ts': 'examples of the docs, made of what other files test',
  'test/system/coming-from.test.ts': 'examples of the docs, made of what other files test',
  'test/system/recipe-docs.test.ts': 'examples of the docs, made of what other files test',
  'test/system/readme.test.ts': 'examples of the docs, made of what other files test',
  'test/system/capture-tools.test.ts':
    'files, which no kernel reads; other programs read them for minutes',
  'test/system/soak.test.ts': 'a load over a time; the same traffic is in other files',
};

/** The most telling for their time first: hooks that differ between kernels, then traffic, then what takes long. */
const FIRST: readonly string[] = [
  'doctor-features',
  'bpf-load',
  'socket-layer',
  'flow',
  'socket-layer-block',
  'network-layer',
  'privilege-table',
  'attribution',
  'inject',
  'inject-forward',
  'reflect-filter',
  'lifecycle',
  'priority',
  'socket-layer-handles',
  'socket-layer-programs',
  'flow-handles',
  'sniff',
  'reflect',
  'fragments',
  'large-packets',
  'no-blackhole',
  'ringbuf',
  'bpf-verifier',
];

/** Runs files in the order above, the others after them by name. */
export class TellingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.sort((a, b) => rank(a) - rank(b) || a.moduleId.localeCompare(b.moduleId));
  }
}

function rank({ moduleId }: TestSpecification): number {
  const name = moduleId.replace(/^.*\/|\.test\.ts$/g, '');
  const index = FIRST.indexOf(name);
  return index < 0 ? FIRST.length : index;
}
