/** Workloads that are one program each, run to its end on the tool's processor. */

import { spawnSync } from 'node:child_process';
import { program } from '../harness/folders.ts';
import { binary } from '../harness/native.ts';
import { TOOL_CPU } from '../harness/program.ts';
import type { BenchOptions, Figures } from '../harness/workload.ts';

const TIMEOUT_MS = 120_000;

/** Runs a command and returns the last line of JSON it prints. */
export function runPinned(file: string, args: readonly string[], input = ''): Figures {
  const { status, stdout, stderr } = spawnSync('taskset', ['-c', `${TOOL_CPU}`, file, ...args], {
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
    input,
  });
  if (status !== 0) throw new Error(stderr.trim().split('\n').slice(-3).join(' '));
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '{}');
}

/** Runs one of `bench/programs`. */
export function runProgram(name: string, args: readonly string[], { once }: BenchOptions): Figures {
  return runPinned(process.execPath, [program(name), ...args, ...(once ? ['--once'] : [])]);
}

/** Runs one of `bench/c` that takes a number of calls and reads its input. */
export function runNative(
  name: string,
  calls: number,
  input: string,
  options: BenchOptions,
): Figures {
  const count = options.once ? Math.ceil(calls / 100) : calls;
  return runPinned(binary(name), [`${count}`], input);
}
