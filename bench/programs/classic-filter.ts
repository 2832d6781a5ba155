/**
 * What libpcap's compiler makes (classic BPF, `tcpdump -ddd`) as eBPF, the way the kernel itself translates it.
 *
 * 'direct': every load looks into the packet's memory, with a check of its end in front, as the kernel does for a classic
 * filter. 'helper': `LD_ABS` and `LD_IND` stay, which call a function for each load.
 */

import { Assembler, type Label } from '../../src/bpf/assembler.ts';
import {
  type Instruction,
  R0,
  R1,
  R2,
  R3,
  R6,
  R7,
  R8,
  R9,
  R10,
  type Register,
} from '../../src/bpf/instruction.ts';
import { type AluName, type JumpName, CLASS as OPCODE_CLASS } from '../../src/bpf/opcode.ts';

export type LoadStyle = 'direct' | 'helper';

/** One instruction of `struct sock_filter`. */
interface Classic {
  readonly code: number;
  readonly jumpTrue: number;
  readonly jumpFalse: number;
  readonly k: number;
}

/** `linux/bpf_common.h`. */
const CLASS = { LD: 0, LDX: 1, ST: 2, STX: 3, ALU: 4, JMP: 5, RET: 6, MISC: 7 } as const;
const MODE = { IMM: 0x00, ABS: 0x20, IND: 0x40, MEM: 0x60, LEN: 0x80, MSH: 0xa0 } as const;
const RET_A = 0x10;
const MISC_TXA = 0x80;
const SOURCE_X = 0x08;
type PacketSize = 'W' | 'H' | 'B';
const SIZES: readonly PacketSize[] = ['W', 'H', 'B'];
const BYTES: Readonly<Record<string, number>> = { W: 4, H: 2, B: 1 };
const ALU: Readonly<Record<number, AluName>> = {
  0: 'ADD',
  16: 'SUB',
  32: 'MUL',
  48: 'DIV',
  64: 'OR',
  80: 'AND',
  96: 'LSH',
  112: 'RSH',
  160: 'XOR',
};
const JUMPS: Readonly<Record<number, JumpName>> = {
  16: 'JEQ',
  32: 'JGT',
  48: 'JGE',
  64: 'JSET',
};
/** `struct __sk_buff`. */
const SKB = { LEN: 0, DATA: 76, DATA_END: 80 } as const;

/** A and X of the classic machine. */
const A: Register = R0;
const X: Register = R9;
const CONTEXT: Register = R6;
const DATA: Register = R7;
const DATA_END: Register = R8;
/** Where a load ends, to be compared with where the packet does. */
const LOAD_END: Register = R3;
const MAX_X = 0xff;

class Lowering {
  readonly #assembler = new Assembler();
  readonly #labels: readonly Label[];
  readonly #style: LoadStyle;
  readonly #tooShort: Label;

  constructor(count: number, style: LoadStyle) {
    this.#style = style;
    this.#labels = Array.from({ length: count + 1 }, () => this.#assembler.newLabel());
    this.#tooShort = this.#assembler.newLabel('too short');
  }

  lower(program: readonly Classic[]): readonly Instruction[] {
    const assembler = this.#assembler;
    assembler.move(CONTEXT, R1);
    assembler.moveImmediate(A, 0);
    assembler.moveImmediate(X, 0);
    if (this.#style === 'direct') {
      assembler.load('W', DATA, CONTEXT, SKB.DATA);
      assembler.load('W', DATA_END, CONTEXT, SKB.DATA_END);
    }
    program.forEach((instruction, at) => {
      assembler.label(this.#label(at));
      this.#one(instruction, at);
    });
    assembler.label(this.#tooShort);
    assembler.moveImmediate(R0, 0);
    assembler.exit();
    return assembler.assemble().instructions.map(widened);
  }

  #label(at: number): Label {
    const label = this.#labels[at];
    if (!label) throw new RangeError('a jump leads outside the program');
    return label;
  }

  #one(instruction: Classic, at: number): void {
    const assembler = this.#assembler;
    switch (instruction.code & 7) {
      case CLASS.LD:
        this.#load(instruction);
        break;
      case CLASS.LDX:
        this.#loadX(instruction);
        break;
      case CLASS.ST:
        assembler.store('W', R10, slot(instruction.k), A);
        break;
      case CLASS.STX:
        assembler.store('W', R10, slot(instruction.k), X);
        break;
      case CLASS.ALU:
        this.#alu(instruction);
        break;
      case CLASS.JMP:
        this.#jump(instruction, at);
        break;
      case CLASS.RET:
        this.#return(instruction);
        break;
      default:
        if ((instruction.code & 0xf8) === MISC_TXA) assembler.move(A, X);
        else assembler.move(X, A);
    }
  }

  #load({ code, k }: Classic): void {
    const assembler = this.#assembler;
    const size = SIZES[(code >> 3) & 3] ?? 'W';
    switch (code & 0xe0) {
      case MODE.IMM:
        assembler.moveImmediate(A, k);
        break;
      case MODE.MEM:
        assembler.load('W', A, R10, slot(k));
        break;
      case MODE.LEN:
        assembler.load('W', A, CONTEXT, SKB.LEN);
        break;
      case MODE.IND:
        if (this.#style === 'helper') assembler.loadPacketIndexed(size, X, k);
        else this.#packet(size, A, k, X);
        break;
      default:
        if (this.#style === 'helper') assembler.loadPacket(size, k);
        else this.#packet(size, A, k);
    }
  }

  #loadX({ code, k }: Classic): void {
    const mode = code & 0xe0;
    if (mode === MODE.IMM) this.#assembler.moveImmediate(X, k);
    else if (mode === MODE.MEM) this.#assembler.load('W', X, R10, slot(k));
    else this.#loadHeaderLength(k);
  }

  /** `X = 4 * (packet[k] & 0xf)`. */
  #loadHeaderLength(k: number): void {
    const assembler = this.#assembler;
    if (this.#style === 'direct') this.#packet('B', X, k);
    else {
      // As the kernel: A survives in another register.
      assembler.move(R8, A);
      assembler.loadPacket('B', k);
      assembler.move(X, A);
      assembler.move(A, R8);
    }
    assembler.alu('AND', X, 0xf);
    assembler.alu('LSH', X, 2);
  }

  /** A load with its check, in host order. */
  #packet(size: PacketSize, to: Register, offset: number, index?: Register): void {
    const assembler = this.#assembler;
    const bytes = BYTES[size] ?? 4;
    let base = DATA;
    if (index !== undefined) {
      // The verifier wants to know how large it can be.
      assembler.move(R2, index);
      assembler.jumpIf('JGT', R2, MAX_X, this.#tooShort);
      assembler.aluRegister('ADD', R2, DATA, 64);
      base = R2;
    }
    assembler.move(LOAD_END, base);
    assembler.alu('ADD', LOAD_END, offset + bytes, 64);
    assembler.jumpIfRegister('JGT', LOAD_END, DATA_END, this.#tooShort);
    assembler.load(size, to, base, offset);
    if (bytes > 1) assembler.swapBigEndian(to, bytes === 2 ? 16 : 32);
  }

  #alu({ code, k }: Classic): void {
    const operation = ALU[code & 0xf0];
    if (operation === undefined) throw new RangeError(`no such operation: ${code}`);
    if ((code & SOURCE_X) !== 0) this.#assembler.aluRegister(operation, A, X);
    else this.#assembler.alu(operation, A, k);
  }

  #jump({ code, jumpTrue, jumpFalse, k }: Classic, at: number): void {
    const assembler = this.#assembler;
    const jump = JUMPS[code & 0xf0];
    if (jump === undefined) {
      assembler.jump(this.#label(at + 1 + k));
      return;
    }
    const target = this.#label(at + 1 + jumpTrue);
    if ((code & SOURCE_X) !== 0) assembler.jumpIfRegister(jump, A, X, target);
    else assembler.jumpIf(jump, A, k, target);
    if (jumpFalse !== 0) assembler.jump(this.#label(at + 1 + jumpFalse));
  }

  #return({ code, k }: Classic): void {
    if ((code & 0x18) !== RET_A) this.#assembler.moveImmediate(R0, k === 0 ? 0 : 1);
    this.#assembler.exit();
  }
}

/** The assembler's comparisons of registers are 32 bits wide; addresses need all 64. */
function widened(instruction: Instruction): Instruction {
  const { opcode, destination, source } = instruction;
  const isAddress = destination === LOAD_END && source === DATA_END;
  return isAddress && (opcode & 7) === OPCODE_CLASS.JMP32
    ? { ...instruction, opcode: (opcode & ~7) | OPCODE_CLASS.JMP }
    : instruction;
}

const slot = (index: number): number => -4 * (index + 1);

/**
 * Translates a program.
 *
 * @param text what `tcpdump -ddd` printed
 */
export function lowerClassic(text: string, style: LoadStyle): readonly Instruction[] {
  const program = text
    .trim()
    .split('\n')
    .slice(1)
    .map((line): Classic => {
      const [code = 0, jumpTrue = 0, jumpFalse = 0, k = 0] = line.split(' ').map(Number);
      return { code, jumpTrue, jumpFalse, k };
    });
  return new Lowering(program.length, style).lower(program);
}
