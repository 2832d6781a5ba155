/**
 * The mark (`skb->mark`) of injected packets: who may still see them.
 *
 *     bits 31..16   MAGIC
 *     bits 15..0    priority of the handle that injected the packet, plus 32768
 *
 * It is wide because marks are not always somebody's: IGMPv3 and MLDv2 reports of the kernel carry
 * leftovers there, small numbers.
 *
 * @module
 */
import type { Assembler } from '../../bpf/assembler.ts';
import { R0, R1, R6 } from '../../bpf/instruction.ts';

const PRIORITY_BIAS = 32768;
const LARGEST_PRIORITY_PART = 0xffff;
/** Offset of `mark` in `struct __sk_buff`. */
const SKB_MARK = 8;

/** The bits that tell our marks from others, and what they are. */
export const INJECTED_MARK = { MASK: 0xffff0000, VALUE: 0xd17e0000 } as const;

const MAGIC = INJECTED_MARK.VALUE >>> 16;

/** The mark of packets that a handle injects. */
export function injectedMark(priority: number): number {
  return (INJECTED_MARK.VALUE | (priority + PRIORITY_BIAS)) >>> 0;
}

/** Whether a packet with this mark was injected. */
export function isInjectedMark(mark: number): boolean {
  return mark >>> 16 === MAGIC;
}

/**
 * Writes the first part of a handle's program: packets that a handle of the same or a higher
 * priority injected do not match. Expects the context in r6; changes r0 and r1.
 *
 * @param priority of the handle
 * @param impostor true: nor do packets that nobody injected; false: nor does any injected one
 */
export function emitMarkTest(
  assembler: Assembler,
  priority: number,
  impostor: boolean | 'unknown',
): void {
  const pass = assembler.newLabel('not_ours');
  const reject = assembler.newLabel('injected_here_or_above');
  assembler.load('W', R1, R6, SKB_MARK);
  assembler.alu('SUB', R1, INJECTED_MARK.VALUE);
  if (impostor === true) assembler.jumpIf('JGT', R1, LARGEST_PRIORITY_PART, reject);
  const least = impostor === false ? LARGEST_PRIORITY_PART : priority + PRIORITY_BIAS;
  assembler.jumpIf('JGT', R1, least, pass);
  assembler.label(reject);
  assembler.moveImmediate(R0, 0);
  assembler.exit();
  assembler.label(pass);
}
