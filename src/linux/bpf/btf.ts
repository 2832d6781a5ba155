/**
 * Type information for maps that the kernel wants it of (`BPF_BTF_LOAD`, Linux 4.18;
 * Documentation/bpf/btf.rst): socket storage has 32-bit keys and values of one size.
 *
 * @module
 */
import { libc } from '../sys/libc.ts';
import { allocate } from '../sys/memory.ts';
import { bpfError, callBpfCharged } from './call.ts';
import { BPF_COMMAND } from './constants.ts';

/** Offsets in `struct btf_header`. */
const HEADER = {
  MAGIC: 0,
  VERSION: 2,
  HDR_LEN: 4,
  TYPE_LEN: 12,
  STR_OFF: 16,
  STR_LEN: 20,
  BYTES: 24,
} as const;
const BTF_MAGIC = 0xeb9f;
const BTF_VERSION = 1;

const BTF_KIND = { INT: 1, STRUCT: 4 } as const;
const KIND_SHIFT = 24;
/** `BTF_INT_BITS`: unsigned, no offset. */
const INT_BITS = 32;

/** Words of the two types: an integer of four bytes, and a structure without members. */
const TYPE_WORDS = { KEY: 0, VALUE: 4, ALL: 7 } as const;
/** The empty name, and one for both types. */
const STRINGS = '\0netdivert\0';
const NAME_OFFSET = 1;

/** Offsets in the `BPF_BTF_LOAD` part of `union bpf_attr`. */
const LOAD = { BTF: 0, BTF_SIZE: 16, BYTES: 32 } as const;

/** Ids of the types that {@link withBtf} makes. */
export const BTF_TYPE = { KEY: 1, VALUE: 2 } as const;

/**
 * Makes the types of a storage map for as long as `use` needs the descriptor; the map keeps them.
 *
 * @param valueBytes of the map's values
 * @param use gets the descriptor of the types
 * @throws {@link UnsupportedError} when a capability is missing
 */
export function withBtf<T>(valueBytes: number, use: (btfFd: number) => T): T {
  const types = encodeStorageTypes(valueBytes);
  const attribute = allocate(LOAD.BYTES);
  const copy = allocate(types.length);
  copy.bytes.set(types);
  attribute.view.setBigUint64(LOAD.BTF, copy.address, true);
  attribute.view.setUint32(LOAD.BTF_SIZE, types.length, true);
  const { result, errno } = callBpfCharged(BPF_COMMAND.BPF_BTF_LOAD, attribute.bytes);
  if (errno !== 0) throw bpfError('BPF_BTF_LOAD', errno, 'describe a map of sockets');
  try {
    return use(result);
  } finally {
    libc.close(result);
  }
}

function encodeStorageTypes(valueBytes: number): Uint8Array {
  const typeBytes = TYPE_WORDS.ALL * 4;
  const bytes = new Uint8Array(HEADER.BYTES + typeBytes + STRINGS.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(HEADER.MAGIC, BTF_MAGIC, true);
  view.setUint8(HEADER.VERSION, BTF_VERSION);
  view.setUint32(HEADER.HDR_LEN, HEADER.BYTES, true);
  view.setUint32(HEADER.TYPE_LEN, typeBytes, true);
  view.setUint32(HEADER.STR_OFF, typeBytes, true);
  view.setUint32(HEADER.STR_LEN, STRINGS.length, true);
  const put = (word: number, ...values: readonly number[]): void => {
    values.forEach((value, index) => {
      view.setUint32(HEADER.BYTES + (word + index) * 4, value, true);
    });
  };
  put(TYPE_WORDS.KEY, NAME_OFFSET, BTF_KIND.INT << KIND_SHIFT, 4, INT_BITS);
  put(TYPE_WORDS.VALUE, NAME_OFFSET, BTF_KIND.STRUCT << KIND_SHIFT, valueBytes);
  bytes.set(new TextEncoder().encode(STRINGS), HEADER.BYTES + typeBytes);
  return bytes;
}
