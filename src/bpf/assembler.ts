/**
 * Builds a program from instructions, labels and comments.
 *
 * Arithmetic and comparisons are 32 bits wide unless said otherwise: immediates are 32-bit, so only there
 * does a constant with its highest bit set mean itself.
 *
 * @module
 */

import { HELPER, type HelperName } from './helper.ts';
import type { Instruction, Register } from './instruction.ts';
import {
  ALU,
  type AluName,
  BPF_PSEUDO_MAP_FD,
  CLASS,
  JUMP,
  type JumpName,
  LD_IMM64,
  MODE,
  SIZE,
  type SizeName,
  SOURCE,
} from './opcode.ts';

/** A place in the program that jumps lead to. Made by {@link Assembler.newLabel}. */
export interface Label {
  readonly name: string;
}

/** An assembled program. */
export interface Assembly {
  readonly instructions: readonly Instruction[];
  /** Names of the places that jumps lead to, by index. */
  readonly labels: ReadonlyMap<number, string>;
  /** Remarks for listings, by index of the instruction they stand beside. */
  readonly comments: ReadonlyMap<number, string>;
}

/** Operand width in bits. */
export type Bits = 32 | 64;

const MAX_JUMP = 0x7fff;

/** Collects instructions in order; {@link Assembler.assemble} resolves the labels. */
export class Assembler {
  readonly #instructions: Instruction[] = [];
  readonly #targets = new Map<number, Label>();
  readonly #places = new Map<Label, number>();
  readonly #comments = new Map<number, string>();
  #labelCount = 0;

  /** Index of the next instruction. */
  get length(): number {
    return this.#instructions.length;
  }

  /**
   * Makes a label, to be placed once.
   *
   * @param name for listings; a number of its own without one
   */
  newLabel(name?: string): Label {
    this.#labelCount += 1;
    return { name: name ?? `L${this.#labelCount}` };
  }

  /** Places a label in front of the next instruction. */
  label(label: Label): void {
    if (this.#places.has(label)) {
      throw new RangeError(`label ${label.name} is placed twice`);
    }
    this.#places.set(label, this.length);
  }

  /** Writes a remark beside the next instruction. The first one stays. */
  comment(text: string): void {
    if (!this.#comments.has(this.length)) {
      this.#comments.set(this.length, text);
    }
  }

  /** Appends any instruction. */
  emit(
    opcode: number,
    destination: number,
    source: number,
    offset: number,
    immediate: number,
  ): void {
    this.#instructions.push({ opcode, destination, source, offset, immediate: immediate | 0 });
  }

  /** `destination = immediate`, zero-extended from 32 bits. */
  moveImmediate(destination: Register, immediate: number): void {
    this.emit(CLASS.ALU | SOURCE.K | ALU.MOV, destination, 0, 0, immediate);
  }

  /** `destination = source`, 64 bits. */
  move(destination: Register, source: Register): void {
    this.emit(CLASS.ALU64 | SOURCE.X | ALU.MOV, destination, source, 0, 0);
  }

  /** `destination operation= immediate`. */
  alu(operation: AluName, destination: Register, immediate: number, bits: Bits = 32): void {
    this.emit(aluClass(bits) | SOURCE.K | ALU[operation], destination, 0, 0, immediate);
  }

  /** `destination operation= source`. */
  aluRegister(operation: AluName, destination: Register, source: Register, bits: Bits = 32): void {
    this.emit(aluClass(bits) | SOURCE.X | ALU[operation], destination, source, 0, 0);
  }

  /**
   * Converts the low bits of a register between big-endian and host order; the rest becomes zero.
   *
   * @param bits 16, 32 or 64
   */
  swapBigEndian(register: Register, bits: 16 | 32 | 64): void {
    this.emit(CLASS.ALU | SOURCE.X | ALU.END, register, 0, 0, bits);
  }

  /** `destination = *(size *)(base + offset)`. */
  load(size: SizeName, destination: Register, base: Register, offset: number): void {
    this.emit(CLASS.LDX | MODE.MEM | SIZE[size], destination, base, offset, 0);
  }

  /** `*(size *)(base + offset) = source`. */
  store(size: SizeName, base: Register, offset: number, source: Register): void {
    this.emit(CLASS.STX | MODE.MEM | SIZE[size], base, source, offset, 0);
  }

  /** `*(size *)(base + offset) = immediate`. */
  storeImmediate(size: SizeName, base: Register, offset: number, immediate: number): void {
    this.emit(CLASS.ST | MODE.MEM | SIZE[size], base, 0, offset, immediate);
  }

  /**
   * `r0 =` packet bytes at a fixed offset, in host order. Needs the context in r6, loses r1-r5, and ends the
   * program with 0 when the packet is too short.
   */
  loadPacket(size: 'B' | 'H' | 'W', offset: number): void {
    this.emit(CLASS.LD | MODE.ABS | SIZE[size], 0, 0, 0, offset);
  }

  /** As {@link Assembler.loadPacket}, at `base + offset`. */
  loadPacketIndexed(size: 'B' | 'H' | 'W', base: Register, offset: number): void {
    this.emit(CLASS.LD | MODE.IND | SIZE[size], 0, base, 0, offset);
  }

  /** `destination = immediate`, all 64 bits. Two slots. */
  loadImmediate64(destination: Register, immediate: bigint, source = 0): void {
    const low = Number(BigInt.asIntN(32, immediate));
    const high = Number(BigInt.asIntN(32, immediate >> 32n));
    this.emit(LD_IMM64, destination, source, 0, low);
    this.emit(0, 0, 0, 0, high);
  }

  /** `destination =` the map with this file descriptor. Two slots. */
  loadMap(destination: Register, fd: number): void {
    this.loadImmediate64(destination, BigInt(fd), BPF_PSEUDO_MAP_FD);
  }

  /** Calls a kernel function: arguments in r1-r5 (lost), result in r0. */
  call(helper: HelperName): void {
    this.emit(CLASS.JMP | JUMP.CALL, 0, 0, 0, HELPER[helper]);
  }

  /** Ends the program with r0. */
  exit(): void {
    this.emit(CLASS.JMP | JUMP.EXIT, 0, 0, 0, 0);
  }

  /** `goto target`. */
  jump(target: Label): void {
    this.#targets.set(this.length, target);
    this.emit(CLASS.JMP | JUMP.JA, 0, 0, 0, 0);
  }

  /** `if register condition immediate goto target`. */
  jumpIf(condition: JumpName, register: Register, immediate: number, target: Label): void {
    this.#targets.set(this.length, target);
    this.emit(CLASS.JMP32 | SOURCE.K | JUMP[condition], register, 0, 0, immediate);
  }

  /** `if register condition other goto target`. */
  jumpIfRegister(condition: JumpName, register: Register, other: Register, target: Label): void {
    this.#targets.set(this.length, target);
    this.emit(CLASS.JMP32 | SOURCE.X | JUMP[condition], register, other, 0, 0);
  }

  /** `if register condition immediate goto target`, comparing 64 bits (pointers; the immediate is sign-extended). */
  jumpIf64(condition: JumpName, register: Register, immediate: number, target: Label): void {
    this.#targets.set(this.length, target);
    this.emit(CLASS.JMP | SOURCE.K | JUMP[condition], register, 0, 0, immediate);
  }

  /**
   * Resolves the labels. Instructions that cannot be reached (the kernel refuses them) and jumps to the
   * very next instruction are left out.
   *
   * @returns the finished program
   * @throws {RangeError} when a jump has no place to go to or is longer than 32,767 instructions
   */
  assemble(): Assembly {
    const targets = new Map<number, number>();
    for (const [index, label] of this.#targets) {
      const place = this.#places.get(label);
      if (place === undefined) {
        throw new RangeError(`label ${label.name} is not placed`);
      }
      targets.set(index, place);
    }
    threadJumps(this.#instructions, targets);
    const kept = keptInstructions(this.#instructions, targets);
    return this.#pack(kept, targets);
  }

  #nameOf(place: number): string {
    for (const [label, at] of this.#places) {
      if (at === place) return label.name;
    }
    return `L${place}`;
  }

  #pack(kept: readonly boolean[], targets: ReadonlyMap<number, number>): Assembly {
    // New index of every old one; one that is left out has that of what follows it.
    const places: number[] = [];
    let length = 0;
    for (const keep of kept) {
      places.push(length);
      length += keep ? 1 : 0;
    }
    const labels = new Map<number, string>();
    const comments = new Map<number, string>();
    const instructions: Instruction[] = [];
    this.#instructions.forEach((instruction, index) => {
      const comment = this.#comments.get(index);
      if (comment !== undefined && kept[index]) comments.set(places[index] ?? 0, comment);
      if (!kept[index]) return;
      const target = targets.get(index);
      if (target === undefined) {
        instructions.push(instruction);
        return;
      }
      const place = places[target] ?? 0;
      const name = labels.get(place) ?? this.#nameOf(target);
      labels.set(place, name);
      instructions.push({ ...instruction, offset: jumpOffset(name, instructions.length, place) });
    });
    return { instructions, labels, comments };
  }
}

function jumpOffset(name: string, from: number, to: number): number {
  const offset = to - from - 1;
  if (Math.abs(offset) > MAX_JUMP) {
    throw new RangeError(`jump to ${name} over ${offset} instructions is too long`);
  }
  return offset;
}

const GOTO: number = CLASS.JMP | JUMP.JA;
const EXIT: number = CLASS.JMP | JUMP.EXIT;

/** Leads jumps to jumps where those go. Backward ones stay: following them might never end. */
function threadJumps(instructions: readonly Instruction[], targets: Map<number, number>): void {
  // From the end on, so that what is jumped to was threaded before.
  for (const index of [...targets.keys()].sort((a, b) => b - a)) {
    const target = targets.get(index) ?? 0;
    const onward = targets.get(target);
    const isForward = target > index && onward !== undefined && onward > target;
    if (isForward && instructions[target]?.opcode === GOTO) targets.set(index, onward);
  }
}

function keptInstructions(
  instructions: readonly Instruction[],
  targets: ReadonlyMap<number, number>,
): boolean[] {
  const kept = new Array<boolean>(instructions.length).fill(false);
  const open = [0];
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    const instruction = instructions[index];
    if (instruction === undefined || kept[index]) continue;
    kept[index] = true;
    const target = targets.get(index);
    if (target !== undefined) open.push(target);
    if (instruction.opcode !== GOTO && instruction.opcode !== EXIT) open.push(index + 1);
  }
  dropEmptyJumps(instructions, targets, kept);
  return kept;
}

/** From the end on: whether a jump is empty depends on what is left out behind it. */
function dropEmptyJumps(
  instructions: readonly Instruction[],
  targets: ReadonlyMap<number, number>,
  kept: boolean[],
): void {
  let next = instructions.length;
  for (let index = instructions.length - 1; index >= 0; index -= 1) {
    if (!kept[index]) continue;
    const target = targets.get(index);
    const isForward = target !== undefined && target > index;
    if (isForward && instructions[index]?.opcode === GOTO && target <= next) {
      kept[index] = false;
    } else {
      next = index;
    }
  }
}

function aluClass(bits: Bits): number {
  return bits === 64 ? CLASS.ALU64 : CLASS.ALU;
}
