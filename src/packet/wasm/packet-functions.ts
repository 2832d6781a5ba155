/**
 * The WebAssembly functions of the packet helpers, made when first needed.
 *
 * @module
 */

import { encodeModule, MEMORY_NAME, PAGE_BYTES } from './encode.ts';
import { HASH_FUNCTION } from './hash-function.ts';
import { SUM_FUNCTION } from './sum-function.ts';

/** The functions and the memory they share. */
export interface PacketFunctions {
  /** See {@link HASH_FUNCTION}. */
  readonly hash: (...words: readonly number[]) => void;
  /** See {@link SUM_FUNCTION}; the result is signed. */
  readonly sum: (start: number, end: number) => number;
  readonly bytes: Uint8Array;
  readonly words: Uint32Array;
  readonly wideWords: BigUint64Array;
}

/** Of JavaScript's own `WebAssembly`, which the language's type library leaves to the DOM's. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (
    module: object,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
}

/** Room for the longest packet and the zeros behind it. */
const PAGES = 2;

/** Where what {@link PacketFunctions.sum} sums has to end at the latest. */
export const SUM_CAPACITY: number = PAGES * PAGE_BYTES - 16;

let made: PacketFunctions | null | undefined;

/**
 * The functions; the same at every call.
 *
 * @returns null where WebAssembly is not there (`node --jitless`) or forbidden (Content-Security-Policy)
 */
export function packetFunctions(): PacketFunctions | null {
  if (made === undefined) made = makeFunctions();
  return made;
}

/**
 * Makes the functions.
 *
 * @returns as {@link packetFunctions}
 */
export function makeFunctions(): PacketFunctions | null {
  const { WebAssembly: api } = globalThis as { WebAssembly?: WebAssemblyApi };
  if (api === undefined) return null;
  try {
    const module = new api.Module(encodeModule([HASH_FUNCTION, SUM_FUNCTION], PAGES));
    const { exports } = new api.Instance(module);
    const { buffer } = exports[MEMORY_NAME] as { readonly buffer: ArrayBuffer };
    return {
      hash: exports[HASH_FUNCTION.name] as PacketFunctions['hash'],
      sum: exports[SUM_FUNCTION.name] as PacketFunctions['sum'],
      bytes: new Uint8Array(buffer),
      words: new Uint32Array(buffer),
      wideWords: new BigUint64Array(buffer),
    };
  } catch {
    return null;
  }
}
