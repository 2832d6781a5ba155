/**
 * Decision graph to eBPF: a socket filter program for nft's `bpf` match.
 *
 * @module
 */

import { Assembler } from '../bpf/assembler.ts';
import { R0 } from '../bpf/instruction.ts';
import type { BpfOptions, BpfProgram } from './emit-bpf-options.ts';
import type { FilterTest } from './graph.ts';

export type {
  BpfOptions,
  BpfProgram,
  Inexactness,
  InexactReason,
} from './emit-bpf-options.ts';

/**
 * Compiles a filter for one hook.
 *
 * @param tests the decision graph, labels pointing forward
 * @param options where the program will run
 * @returns the program and what it cannot know
 */
export function compileBpf(_tests: readonly FilterTest[], options: BpfOptions): BpfProgram {
  const assembler = new Assembler();
  assembler.moveImmediate(R0, options.matchValue ?? 1);
  assembler.exit();
  return {
    ...assembler.assemble(),
    exact: false,
    exactWithoutSegments: false,
    inexact: [],
    needsLoopbackVariants: false,
    needsImpostorVariants: false,
    constant: null,
  };
}
