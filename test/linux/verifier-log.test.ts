import { describe, expect, test } from 'vitest';
import { mayLackPerfmon, summarizeVerifierLog } from '../../src/linux/bpf/verifier-log.ts';

const STATISTICS =
  'processed 1 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0';

/** What the verifiers of Linux 6.18 and 7.3 say of a program that is `exit` alone. */
const SHORT = ['0: R1=ctx() R10=fp0', '0: (95) exit', 'R0 !read_ok'];
const EXPLAINED = [
  ...SHORT,
  'Verification failed: Register Type Safety: Unreadable register',
  'Reason:',
  '  R0 has never been initialized on this path, so the verifier cannot use it as an input.',
  'At:',
  '  insn 0',
  '       | ^-- error: R0 is not readable',
  '  Instruction context:',
  '  >>> 0 | (95) exit',
  'Causal path:',
  '  no retained diagnostic events on this path',
  'Suggestion:',
  '  Initialize R0 on every path before this instruction.',
];

describe('the complaint of a verifier log', () => {
  test.each([
    ['of Linux 6.18', [...SHORT, STATISTICS], 'R0 !read_ok (at 0: (95) exit)'],
    [
      'of Linux 7.3, which explains it',
      [...EXPLAINED, STATISTICS],
      'R0 !read_ok (at 0: (95) exit)',
    ],
    [
      'that has the explanation only',
      ['0: (95) exit', ...EXPLAINED.slice(3), STATISTICS],
      'Register Type Safety: Unreadable register (at 0: (95) exit)',
    ],
    [
      'about a helper',
      ['0: (85) call bpf_x#200', 'unknown func bpf_x#200'],
      'unknown func bpf_x#200 (at 0: (85) call bpf_x#200)',
    ],
    ['without an instruction', ['back-edge from insn 2 to 0'], 'back-edge from insn 2 to 0'],
    ['that is empty', [], 'no reason given'],
  ])('%s', (_, log, expected) => {
    expect(summarizeVerifierLog(log)).toBe(expected);
  });
});

describe('a complaint that can come of a missing CAP_PERFMON', () => {
  test.each([
    [
      'Linux 6.1',
      'attempt to corrupt spilled pointer on stack (at 169: (63) *(u32 *)(r10 -68) = r1)',
      true,
    ],
    ['Linux 6.18', 'program of this type cannot use helper bpf_get_current_comm#16', true],
    ['a helper the kernel lacks', 'unknown func bpf_get_netns_cookie#122', false],
    ['what might go wrong', 'invalid read from stack off -496+4 size 8 (at 884: (79) r1)', true],
  ])('%s: %s', (_, summary, expected) => {
    expect(mayLackPerfmon(summary)).toBe(expected);
  });
});
