/**
 * Maps: memory that programs and this process share.
 *
 * @module
 */

import { ERRNO } from '../sys/constants.ts';
import { libc } from '../sys/libc.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { BTF_TYPE } from './btf.ts';
import { bpfError, callBpf, callBpfCharged, callBpfPatiently, writeName } from './call.ts';
import { BPF_COMMAND, BPF_MAP_TYPE, BPF_UPDATE_FLAG } from './constants.ts';

/** Offsets in the `BPF_MAP_CREATE` part of `union bpf_attr`. */
const CREATE = {
  MAP_TYPE: 0,
  KEY_SIZE: 4,
  VALUE_SIZE: 8,
  MAX_ENTRIES: 12,
  MAP_FLAGS: 16,
  INNER_MAP_FD: 20,
  MAP_NAME: 28,
  BTF_FD: 48,
  BTF_KEY_TYPE_ID: 52,
  BTF_VALUE_TYPE_ID: 56,
} as const;
const CREATE_BYTES = 48;
const CREATE_BYTES_WITH_BTF = 64;

/** Offsets in the part that `BPF_MAP_*_ELEM` use. */
const ELEMENT = { MAP_FD: 0, KEY: 8, VALUE: 16, FLAGS: 24 } as const;
/** Kernel-internal: this kind of map has no such operation. */
const ENOTSUPP = 524;
/** Deleting has no value: what follows the key must be absent or zero. */
const ELEMENT_BYTES = { BPF_MAP_LOOKUP_ELEM: 32, BPF_MAP_UPDATE_ELEM: 32, BPF_MAP_DELETE_ELEM: 16 };

/** Offsets in the part that `BPF_MAP_*_BATCH` use. */
const BATCH = { KEYS: 16, VALUES: 24, COUNT: 32, MAP_FD: 36 } as const;
const BATCH_BYTES = 56;

/** What a map is. */
export interface MapOptions {
  /** For `bpftool` and other listings, at most 15 letters, digits, `_` or `.`. */
  readonly name: string;
  readonly type: keyof typeof BPF_MAP_TYPE;
  /** 0 for ring buffers, 4 for arrays. */
  readonly keyBytes: number;
  /** 0 for ring buffers. */
  readonly valueBytes: number;
  /** Ring buffers: their size in bytes, a power of two and a multiple of the page size. */
  readonly maxEntries: number;
  /** `BPF_MAP_FLAG`. Default: none. */
  readonly flags?: number;
  /** Arrays of maps: one like those that will be in it. */
  readonly innerMapFd?: number;
  /** Descriptor of the types' description ({@link withBtf}), for maps of socket storage. */
  readonly btfFd?: number;
}

/** An open map. It lives as long as this, or a program that uses it, does. */
export class BpfMap implements Disposable {
  readonly fd: number;
  readonly name: string;
  readonly #element: Memory = allocate(ELEMENT_BYTES.BPF_MAP_UPDATE_ELEM);
  readonly #key: Memory;
  readonly #value: Memory;
  readonly #keyBytes: number;
  readonly #valueBytes: number;
  #isOpen = true;

  /**
   * Creates a map.
   *
   * @throws {@link UnsupportedError} when a capability is missing
   * @throws {@link SystemError} EINVAL when this kernel has no such type, size or flag
   */
  constructor(options: MapOptions) {
    this.name = options.name;
    this.fd = createMap(options);
    this.#keyBytes = options.keyBytes;
    this.#valueBytes = options.valueBytes;
    this.#key = allocate(options.keyBytes);
    this.#value = allocate(options.valueBytes);
    const { view } = this.#element;
    view.setUint32(ELEMENT.MAP_FD, this.fd, true);
    view.setBigUint64(ELEMENT.KEY, this.#key.address, true);
    view.setBigUint64(ELEMENT.VALUE, this.#value.address, true);
  }

  /**
   * @param key as many bytes as keys have
   * @returns the value, valid until the next call on this map, or `null` when there is none
   */
  lookup(key: Uint8Array): Uint8Array | null {
    this.#setKey(key);
    this.#element.view.setBigUint64(ELEMENT.FLAGS, 0n, true);
    return this.#call('BPF_MAP_LOOKUP_ELEM', 'look up') ? this.#value.bytes : null;
  }

  /** Sets the value of a key, new or not. */
  update(key: Uint8Array, value: Uint8Array): void {
    this.#setValue(key, value, BPF_UPDATE_FLAG.BPF_ANY);
    this.#call('BPF_MAP_UPDATE_ELEM', 'update');
  }

  /** @returns whether the value was added: false when the key has one */
  add(key: Uint8Array, value: Uint8Array): boolean {
    this.#setValue(key, value, BPF_UPDATE_FLAG.BPF_NOEXIST);
    const { bytes } = this.#element;
    const { errno } = callBpfPatiently(BPF_COMMAND.BPF_MAP_UPDATE_ELEM, bytes);
    if (errno === 0) return true;
    if (errno === ERRNO.EEXIST) return false;
    throw bpfError('BPF_MAP_UPDATE_ELEM', errno, `add to map ${this.name}`);
  }

  #setValue(key: Uint8Array, value: Uint8Array, flags: number): void {
    this.#setKey(key);
    if (value.length > this.#value.bytes.length) {
      throw new RangeError(`a value of ${value.length} bytes is too long for map ${this.name}`);
    }
    this.#value.bytes.set(value);
    this.#element.view.setBigUint64(ELEMENT.FLAGS, BigInt(flags), true);
  }

  /**
   * Sets the values of many keys to zero, in one call where the kernel has it (Linux 5.6; tries 5.18).
   *
   * @param keys one behind the other, in memory that does not move
   * @param count how many
   */
  insertAll(keys: Memory, count: number): void {
    const keyBytes = this.#keyBytes;
    if (count === 0 || this.#insertBatch(keys, count)) return;
    const value = new Uint8Array(this.#value.bytes.length);
    for (let index = 0; index < count; index++) {
      this.update(keys.bytes.subarray(index * keyBytes, (index + 1) * keyBytes), value);
    }
  }

  /** @returns false when there are no batches for such maps: nothing was done */
  #insertBatch(keys: Memory, count: number): boolean {
    const { view, bytes } = allocate(BATCH_BYTES);
    const values = allocate(count * this.#valueBytes);
    view.setBigUint64(BATCH.KEYS, keys.address, true);
    view.setBigUint64(BATCH.VALUES, values.address, true);
    view.setUint32(BATCH.COUNT, count, true);
    view.setUint32(BATCH.MAP_FD, this.fd, true);
    const { errno } = callBpf(BPF_COMMAND.BPF_MAP_UPDATE_BATCH, bytes);
    if (errno === ERRNO.EINVAL || errno === ENOTSUPP) return false;
    if (errno !== 0) throw bpfError('BPF_MAP_UPDATE_BATCH', errno, `fill map ${this.name}`);
    return true;
  }

  /** @returns whether there was one to delete */
  delete(key: Uint8Array): boolean {
    this.#setKey(key);
    return this.#call('BPF_MAP_DELETE_ELEM', 'delete from');
  }

  /** Lets the map go; programs that use it keep it. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    libc.close(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #setKey(key: Uint8Array): void {
    if (key.length > this.#key.bytes.length) {
      throw new RangeError(`a key of ${key.length} bytes is too long for map ${this.name}`);
    }
    this.#key.bytes.set(key);
  }

  /** @returns false when there is no such entry */
  #call(command: keyof typeof ELEMENT_BYTES, verb: string): boolean {
    const attribute = this.#element.bytes.subarray(0, ELEMENT_BYTES[command]);
    const { errno } = callBpfPatiently(BPF_COMMAND[command], attribute);
    if (errno === 0) return true;
    if (errno === ERRNO.ENOENT) return false;
    throw bpfError(command, errno, `${verb} map ${this.name}`);
  }
}

function createMap(options: MapOptions): number {
  const { view, bytes } = allocate(
    options.btfFd === undefined ? CREATE_BYTES : CREATE_BYTES_WITH_BTF,
  );
  view.setUint32(CREATE.MAP_TYPE, BPF_MAP_TYPE[options.type], true);
  view.setUint32(CREATE.KEY_SIZE, options.keyBytes, true);
  view.setUint32(CREATE.VALUE_SIZE, options.valueBytes, true);
  view.setUint32(CREATE.MAX_ENTRIES, options.maxEntries, true);
  view.setUint32(CREATE.MAP_FLAGS, options.flags ?? 0, true);
  view.setUint32(CREATE.INNER_MAP_FD, options.innerMapFd ?? 0, true);
  writeName(bytes, CREATE.MAP_NAME, options.name);
  if (options.btfFd !== undefined) {
    view.setUint32(CREATE.BTF_FD, options.btfFd, true);
    view.setUint32(CREATE.BTF_KEY_TYPE_ID, BTF_TYPE.KEY, true);
    view.setUint32(CREATE.BTF_VALUE_TYPE_ID, BTF_TYPE.VALUE, true);
  }
  const { result, errno } = callBpfCharged(BPF_COMMAND.BPF_MAP_CREATE, bytes);
  if (errno !== 0) throw bpfError('BPF_MAP_CREATE', errno, `create map ${options.name}`);
  return result;
}
