/**
 * C structures in place: accessors over the caller's bytes, little-endian as on Windows.
 *
 * @module
 */

/** A 1-bit field of C: reads as 0 or 1; anything true sets it. */
export type Bit = 0 | 1;

/** Four 32-bit words in memory, as `UINT32 name[4]` of C: can be read, written and iterated. */
export interface Words extends Iterable<number> {
  0: number;
  1: number;
  2: number;
  3: number;
  readonly length: 4;
}

/** A structure over bytes. */
export abstract class Structure {
  /** The memory of the structure, shared with the bytes it was made over. */
  readonly bytes: Uint8Array;
  /** @internal */
  readonly view: DataView;

  /**
   * @param bytes hold the structure
   * @param offset where it starts
   * @param length of the structure
   * @throws RangeError when it does not fit
   */
  constructor(bytes: Uint8Array, offset: number, length: number) {
    if (!(offset >= 0 && offset + length <= bytes.length)) {
      throw new RangeError(
        `${new.target.name}: ${length} bytes do not fit at ${offset} of ${bytes.length}.`,
      );
    }
    this.bytes = bytes.subarray(offset, offset + length);
    this.view = new DataView(bytes.buffer, bytes.byteOffset + offset, length);
  }

  /** @internal */
  getBit(at: number, mask: number): Bit {
    return (this.view.getUint8(at) & mask) === 0 ? 0 : 1;
  }

  /** @internal */
  setBit(at: number, mask: number, value: boolean | number): void {
    const others = this.view.getUint8(at) & ~mask;
    this.view.setUint8(at, value ? others | mask : others);
  }

  /** A field of some bits of a byte, shifted down. @internal */
  getBits(at: number, shift: number, width: number): number {
    return (this.view.getUint8(at) >> shift) & ((1 << width) - 1);
  }

  /** @internal */
  setBits(at: number, shift: number, width: number, value: number): void {
    const mask = ((1 << width) - 1) << shift;
    this.view.setUint8(at, (this.view.getUint8(at) & ~mask) | ((value << shift) & mask));
  }
}

const WORD_BYTES = 4;

class WordsView implements Words {
  readonly #view: DataView;
  readonly #at: number;
  readonly length = 4;

  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
  }

  get 0(): number {
    return this.#get(0);
  }
  set 0(value: number) {
    this.#set(0, value);
  }
  get 1(): number {
    return this.#get(1);
  }
  set 1(value: number) {
    this.#set(1, value);
  }
  get 2(): number {
    return this.#get(2);
  }
  set 2(value: number) {
    this.#set(2, value);
  }
  get 3(): number {
    return this.#get(3);
  }
  set 3(value: number) {
    this.#set(3, value);
  }

  *[Symbol.iterator](): Iterator<number> {
    for (let index = 0; index < this.length; index++) yield this.#get(index);
  }

  #get(index: number): number {
    return this.#view.getUint32(this.#at + index * WORD_BYTES, true);
  }

  #set(index: number, value: number): void {
    this.#view.setUint32(this.#at + index * WORD_BYTES, value, true);
  }
}

/** The four words at an offset of a structure. @internal */
export function wordsAt(structure: Structure, at: number): Words {
  return new WordsView(structure.view, at);
}

/** Writes four words. @internal */
export function setWordsAt(structure: Structure, at: number, words: Iterable<number>): void {
  let offset = at;
  for (const word of words) {
    if (offset === at + 4 * WORD_BYTES) break;
    structure.view.setUint32(offset, word, true);
    offset += WORD_BYTES;
  }
}
