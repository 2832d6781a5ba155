/**
 * A machine for eBPF socket filters: enough of RFC 9669 and of the helpers to run what the filter compiler emits,
 * without a kernel. Reading what was never written is an error, as the verifier has it.
 */

import type { Instruction } from '../../src/bpf/instruction.ts';
import { ALU, CLASS, JUMP, LD_IMM64, MODE, SIZE, SOURCE } from '../../src/bpf/opcode.ts';

/** The fields of `struct __sk_buff` by offset; absent ones are 0. */
export type SkbFields = Readonly<Record<number, number>>;

const STACK_BYTES = 512;
const STACK_TOP = 0x1_0000_0000n;
const CONTEXT = 0x2_0000_0000n;
const MAX_STEPS = 100_000;
const SKB_LOAD_BYTES = 26;
const SIZES: Readonly<Record<number, number>> = {
  [SIZE.B]: 1,
  [SIZE.H]: 2,
  [SIZE.W]: 4,
  [SIZE.DW]: 8,
};

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const mask = (value: bigint, bits: 32 | 64): bigint => BigInt.asUintN(bits, value);

class Machine {
  readonly #registers: (bigint | null)[] = new Array(11).fill(null);
  readonly #stack: (number | null)[] = new Array(STACK_BYTES).fill(null);
  readonly #packet: Uint8Array;
  readonly #fields: SkbFields;

  constructor(packet: Uint8Array, fields: SkbFields) {
    this.#packet = packet;
    this.#fields = { 0: packet.length, ...fields };
    this.#registers[1] = CONTEXT;
    this.#registers[10] = STACK_TOP;
  }

  run(instructions: readonly Instruction[]): number {
    let at = 0;
    for (let steps = 0; steps < MAX_STEPS; steps += 1) {
      const instruction = instructions[at];
      if (instruction === undefined) throw new Error(`fell off the program at ${at}`);
      const next = this.#step(instruction, instructions[at + 1]);
      if (next === null) return Number(mask(this.#get(0), 32));
      at += 1 + next;
    }
    throw new Error('the program does not end');
  }

  /** @returns how far to jump, or `null` at the end */
  #step(instruction: Instruction, following: Instruction | undefined): number | null {
    const { opcode, destination, source, offset, immediate } = instruction;
    const size = SIZES[opcode & 0x18]!;
    switch (opcode & 7) {
      case CLASS.LD:
        return this.#load(instruction, following, size);
      case CLASS.LDX:
        this.#registers[destination] = this.#read(this.#get(source) + BigInt(offset), size);
        return 0;
      case CLASS.ST:
        this.#write(this.#get(destination) + BigInt(offset), size, u64(BigInt(immediate)));
        return 0;
      case CLASS.STX:
        this.#write(this.#get(destination) + BigInt(offset), size, this.#get(source));
        return 0;
      case CLASS.ALU:
        return this.#alu(instruction, 32);
      case CLASS.ALU64:
        return this.#alu(instruction, 64);
      case CLASS.JMP:
        return this.#jump(instruction, 64);
      default:
        return this.#jump(instruction, 32);
    }
  }

  #get(register: number): bigint {
    const value = this.#registers[register];
    if (value === null || value === undefined) throw new Error(`R${register} !read_ok`);
    return value;
  }

  #read(address: bigint, size: number): bigint {
    if (address >= CONTEXT) return BigInt(this.#fields[Number(address - CONTEXT)] ?? 0);
    const from = this.#place(address, size);
    let value = 0n;
    for (let at = from + size - 1; at >= from; at -= 1) {
      const byte = this.#stack[at];
      if (byte === null || byte === undefined) throw new Error(`invalid read from stack ${at}`);
      value = (value << 8n) | BigInt(byte);
    }
    return value;
  }

  #write(address: bigint, size: number, value: bigint): void {
    const from = this.#place(address, size);
    for (let at = 0; at < size; at += 1) {
      this.#stack[from + at] = Number((value >> BigInt(8 * at)) & 0xffn);
    }
  }

  #place(address: bigint, size: number): number {
    const place = Number(address - STACK_TOP) + STACK_BYTES;
    if (place < 0 || place + size > STACK_BYTES) throw new Error(`outside the stack: ${place}`);
    if (place % size !== 0) throw new Error(`misaligned stack access ${place}`);
    return place;
  }

  #load(instruction: Instruction, following: Instruction | undefined, size: number): number | null {
    const { opcode, destination, source, immediate } = instruction;
    if (opcode === LD_IMM64) {
      const high = BigInt.asUintN(32, BigInt(following?.immediate ?? 0));
      this.#registers[destination] = (high << 32n) | BigInt.asUintN(32, BigInt(immediate));
      return 1;
    }
    const base = (opcode & 0xe0) === MODE.IND ? Number(mask(this.#get(source), 32)) : 0;
    if (this.#get(6) !== CONTEXT) throw new Error('R6 is not the context');
    const from = base + immediate;
    this.#loseArguments();
    if (from < 0 || from + size > this.#packet.length) {
      this.#registers[0] = 0n;
      return null;
    }
    let value = 0n;
    for (let at = from; at < from + size; at += 1) {
      value = (value << 8n) | BigInt(this.#packet[at]!);
    }
    this.#registers[0] = value;
    return 0;
  }

  #loseArguments(): void {
    for (let register = 1; register <= 5; register += 1) this.#registers[register] = null;
  }

  #alu({ opcode, destination, source, immediate }: Instruction, bits: 32 | 64): number {
    const operation = opcode & 0xf0;
    if (operation === ALU.END) {
      this.#registers[destination] = swapped(this.#get(destination), immediate / 8);
      return 0;
    }
    const operand = opcode & SOURCE.X ? this.#get(source) : BigInt(immediate);
    const right = mask(operand, bits);
    const left = operation === ALU.MOV ? 0n : mask(this.#get(destination), bits);
    this.#registers[destination] = mask(calculate(operation, left, right, bits), bits);
    return 0;
  }

  #jump({ opcode, destination, source, offset, immediate }: Instruction, bits: 32 | 64) {
    const operation = opcode & 0xf0;
    if (operation === JUMP.JA) return offset;
    if (operation === JUMP.EXIT) return null;
    if (operation === JUMP.CALL) {
      this.#call(immediate);
      return 0;
    }
    const operand = opcode & SOURCE.X ? this.#get(source) : BigInt(immediate);
    const left = mask(this.#get(destination), bits);
    return compare(operation, left, mask(operand, bits), bits) ? offset : 0;
  }

  #call(helper: number): void {
    if (helper !== SKB_LOAD_BYTES) throw new Error(`no helper ${helper}`);
    const [context, from, to, length] = [1, 2, 3, 4].map((register) => this.#get(register));
    if (context !== CONTEXT) throw new Error('R1 is not the context');
    const bytes = this.#packet.subarray(Number(from), Number(from! + length!));
    const isThere = bytes.length === Number(length);
    for (let at = 0; at < Number(length); at += 1) {
      this.#write(to! + BigInt(at), 1, BigInt(bytes[at] ?? 0));
    }
    this.#loseArguments();
    this.#registers[0] = isThere ? 0n : u64(-14n);
  }
}

/** The low bytes of a value the other way round: this machine is little-endian. */
function swapped(value: bigint, bytes: number): bigint {
  let result = 0n;
  for (let at = 0; at < bytes; at += 1) {
    result = (result << 8n) | ((value >> BigInt(8 * at)) & 0xffn);
  }
  return result;
}

function calculate(operation: number, left: bigint, right: bigint, bits: 32 | 64): bigint {
  const shift = right % BigInt(bits);
  switch (operation) {
    case ALU.MOV:
      return right;
    case ALU.ADD:
      return left + right;
    case ALU.SUB:
      return left - right;
    case ALU.MUL:
      return left * right;
    case ALU.AND:
      return left & right;
    case ALU.XOR:
      return left ^ right;
    case ALU.OR:
      return left | right;
    case ALU.LSH:
      return left << shift;
    case ALU.RSH:
      return left >> shift;
    case ALU.ARSH:
      return BigInt.asIntN(bits, left) >> shift;
    default:
      throw new Error(`no arithmetic 0x${operation.toString(16)}`);
  }
}

function compare(operation: number, left: bigint, right: bigint, bits: 32 | 64): boolean {
  const signed = (value: bigint): bigint => BigInt.asIntN(bits, value);
  switch (operation) {
    case JUMP.JSLT:
      return signed(left) < signed(right);
    case JUMP.JSLE:
      return signed(left) <= signed(right);
    case JUMP.JSGT:
      return signed(left) > signed(right);
    case JUMP.JSGE:
      return signed(left) >= signed(right);
    case JUMP.JEQ:
      return left === right;
    case JUMP.JNE:
      return left !== right;
    case JUMP.JLT:
      return left < right;
    case JUMP.JLE:
      return left <= right;
    case JUMP.JGT:
      return left > right;
    case JUMP.JGE:
      return left >= right;
    case JUMP.JSET:
      return (left & right) !== 0n;
    default:
      throw new Error(`no jump 0x${operation.toString(16)}`);
  }
}

/**
 * Runs a program.
 *
 * @param packet from the IP header on
 * @param fields what the context says besides its length
 * @returns r0, 32 bits
 */
export function runProgram(
  instructions: readonly Instruction[],
  packet: Uint8Array,
  fields: SkbFields = {},
): number {
  return new Machine(packet, fields).run(instructions);
}
