/**
 * Readable listings of eBPF programs, in the notation of the kernel's own verifier log.
 *
 * @module
 */

import type { Assembly } from './assembler.ts';
import { getHelperName } from './helper.ts';
import type { Instruction } from './instruction.ts';
import {
  ALU,
  BPF_PSEUDO_MAP_FD,
  BPF_PSEUDO_MAP_VALUE,
  CLASS,
  JUMP,
  LD_IMM64,
  MODE,
  SIZE,
  SOURCE,
} from './opcode.ts';

const CLASS_BITS = 0x07;
const SIZE_BITS = 0x18;
const MODE_BITS = 0xe0;
const OPERATION_BITS = 0xf0;
const COMMENT_COLUMN = 44;

const TYPES: Readonly<Record<number, string>> = {
  [SIZE.B]: 'u8',
  [SIZE.H]: 'u16',
  [SIZE.W]: 'u32',
  [SIZE.DW]: 'u64',
};

const ALU_SIGNS: Readonly<Record<number, string>> = {
  [ALU.ADD]: '+=',
  [ALU.SUB]: '-=',
  [ALU.MUL]: '*=',
  [ALU.DIV]: '/=',
  [ALU.OR]: '|=',
  [ALU.AND]: '&=',
  [ALU.LSH]: '<<=',
  [ALU.RSH]: '>>=',
  [ALU.MOD]: '%=',
  [ALU.XOR]: '^=',
  [ALU.MOV]: '=',
  [ALU.ARSH]: 's>>=',
};

const JUMP_SIGNS: Readonly<Record<number, string>> = {
  [JUMP.JEQ]: '==',
  [JUMP.JGT]: '>',
  [JUMP.JGE]: '>=',
  [JUMP.JSET]: '&',
  [JUMP.JNE]: '!=',
  [JUMP.JSGT]: 's>',
  [JUMP.JSGE]: 's>=',
  [JUMP.JLT]: '<',
  [JUMP.JLE]: '<=',
  [JUMP.JSLT]: 's<',
  [JUMP.JSLE]: 's<=',
};

/**
 * One instruction as text.
 *
 * @param instruction the slot
 * @param target what a jump's destination is called; its relative offset when absent
 * @param next the following slot, needed for 64-bit loads
 * @returns for example `if w0 != 443 goto reject`; `(0x..)` and the opcode when it is none that exists
 */
export function disassemble(instruction: Instruction, target?: string, next?: Instruction): string {
  switch (instruction.opcode & CLASS_BITS) {
    case CLASS.LD:
      return formatLoad(instruction, next);
    case CLASS.LDX:
      return `r${instruction.destination} = ${memory(instruction, instruction.source)}`;
    case CLASS.ST:
      return `${memory(instruction, instruction.destination)} = ${instruction.immediate}`;
    case CLASS.STX:
      return `${memory(instruction, instruction.destination)} = r${instruction.source}`;
    case CLASS.ALU:
      return formatAlu(instruction, 'w');
    case CLASS.ALU64:
      return formatAlu(instruction, 'r');
    case CLASS.JMP:
      return formatJump(instruction, 'r', target);
    default:
      return formatJump(instruction, 'w', target);
  }
}

/**
 * A whole program: index, text, and a remark where there is one; labels on lines of their own.
 *
 * @param assembly what the assembler returned
 * @returns lines, each ended by a newline
 */
export function formatListing(assembly: Assembly): string {
  const { instructions, labels, comments } = assembly;
  const lines: string[] = [];
  instructions.forEach((instruction, index) => {
    const label = labels.get(index);
    if (label !== undefined) {
      lines.push(`${label}:`);
    }
    if (instruction.opcode === 0) {
      return;
    }
    const target = labels.get(index + 1 + instruction.offset);
    const text = disassemble(instruction, target, instructions[index + 1]);
    const line = `${String(index).padStart(5)}: ${text}`;
    const comment = comments.get(index);
    lines.push(comment === undefined ? line : `${line.padEnd(COMMENT_COLUMN)} ; ${comment}`);
  });
  return `${lines.join('\n')}\n`;
}

function sized(instruction: Instruction): string {
  return TYPES[instruction.opcode & SIZE_BITS] ?? 'u?';
}

function memory(instruction: Instruction, base: number): string {
  return `*(${sized(instruction)} *)(r${base} ${signed(instruction.offset)})`;
}

function signed(value: number): string {
  return value < 0 ? `- ${-value}` : `+ ${value}`;
}

function unknown(instruction: Instruction): string {
  return `(0x${instruction.opcode.toString(16).padStart(2, '0')})`;
}

function formatLoad(instruction: Instruction, next: Instruction | undefined): string {
  const { opcode, destination, source, immediate } = instruction;
  if (opcode === LD_IMM64) {
    if (source === BPF_PSEUDO_MAP_FD) {
      return `r${destination} = map fd ${immediate}`;
    }
    if (source === BPF_PSEUDO_MAP_VALUE) {
      return `r${destination} = value of map fd ${immediate} ${signed(next?.immediate ?? 0)}`;
    }
    const high = BigInt.asUintN(32, BigInt(next?.immediate ?? 0));
    const low = BigInt.asUintN(32, BigInt(immediate));
    return `r${destination} = 0x${((high << 32n) | low).toString(16)} ll`;
  }
  switch (opcode & MODE_BITS) {
    case MODE.ABS:
      return `r0 = *(${sized(instruction)} *)skb[${immediate}]`;
    case MODE.IND:
      return `r0 = *(${sized(instruction)} *)skb[r${source} ${signed(immediate)}]`;
    default:
      return unknown(instruction);
  }
}

function formatAlu(instruction: Instruction, prefix: 'w' | 'r'): string {
  const { opcode, destination, source, immediate } = instruction;
  const operation = opcode & OPERATION_BITS;
  const register = `${prefix}${destination}`;
  if (operation === ALU.END) {
    const order = opcode & SOURCE.X ? 'be' : 'le';
    return `r${destination} = ${order}${immediate} r${destination}`;
  }
  if (operation === ALU.NEG) {
    return `${register} = -${register}`;
  }
  const sign = ALU_SIGNS[operation];
  if (sign === undefined) {
    return unknown(instruction);
  }
  return `${register} ${sign} ${opcode & SOURCE.X ? `${prefix}${source}` : immediate}`;
}

function formatJump(instruction: Instruction, prefix: 'w' | 'r', target?: string): string {
  const { opcode, destination, source, offset, immediate } = instruction;
  const operation = opcode & OPERATION_BITS;
  const goto = `goto ${target ?? (offset < 0 ? `pc${offset}` : `pc+${offset}`)}`;
  if (operation === JUMP.JA) {
    return goto;
  }
  if (operation === JUMP.CALL) {
    return `call ${getHelperName(immediate)}`;
  }
  if (operation === JUMP.EXIT) {
    return 'exit';
  }
  const sign = JUMP_SIGNS[operation];
  if (sign === undefined) {
    return unknown(instruction);
  }
  // 32-bit comparisons are unsigned here unless marked: show the constant the way it compares.
  const constant = prefix === 'w' && !sign.startsWith('s') ? immediate >>> 0 : immediate;
  const operand = opcode & SOURCE.X ? `${prefix}${source}` : constant;
  return `if ${prefix}${destination} ${sign} ${operand} ${goto}`;
}
