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
  'test/system/soak.test.ts': 'a load over a time; the same traffic is in other files',
};

/** The most telling first: programs that the verifier has to take, then hooks, then traffic. */
const FIRST: readonly string[] = [
  'bpf-load',
  'bpf-verifier',
  'bpf-extended',
  'ringbuf',
  'socket-layer',
  'socket-layer-block',
  'flow',
  'attribution',
  'reflect',
  'socket-layer-handles',
  'socket-layer-programs',
  'flow-handles',
  'network-layer',
  'sniff',
  'inject',
  'inject-forward',
  'inject-marks',
  'large-packets',
  'fragments',
  'priority',
  'privilege-table',
  'no-blackhole',
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
