/**
 * Reading all of a hash map in large pieces (`BPF_MAP_LOOKUP_BATCH`, Linux 5.6).
 *
 * @module
 */
import { ERRNO } from '../sys/constants.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { bpfError, callBpf } from './call.ts';
import { BPF_COMMAND } from './constants.ts';
import type { BpfMap } from './map.ts';

/** Offsets in the batch part of `union bpf_attr`. */
const ATTRIBUTE = {
  IN_BATCH: 0,
  OUT_BATCH: 8,
  KEYS: 16,
  VALUES: 24,
  COUNT: 32,
  MAP_FD: 36,
  BYTES: 56,
} as const;

/** The kernel copies whole buckets: one never has as many entries as this. */
const ENTRIES_AT_ONCE = 4096;
const PLACE_BYTES = 8;

/** Gets an entry, valid until it returns. */
export type EntrySink = (key: DataView, value: DataView) => void;

/** Reads one map; keeps its buffers. */
export class MapBatchReader {
  readonly #map: BpfMap;
  readonly #keyBytes: number;
  readonly #valueBytes: number;
  readonly #attribute: Memory = allocate(ATTRIBUTE.BYTES);
  readonly #place: Memory = allocate(PLACE_BYTES);
  readonly #keys: Memory;
  readonly #values: Memory;

  /** @param map a hash map with keys and values of these sizes */
  constructor(map: BpfMap, keyBytes: number, valueBytes: number) {
    this.#map = map;
    this.#keyBytes = keyBytes;
    this.#valueBytes = valueBytes;
    this.#keys = allocate(ENTRIES_AT_ONCE * keyBytes);
    this.#values = allocate(ENTRIES_AT_ONCE * valueBytes);
    const { view } = this.#attribute;
    view.setBigUint64(ATTRIBUTE.OUT_BATCH, this.#place.address, true);
    view.setBigUint64(ATTRIBUTE.KEYS, this.#keys.address, true);
    view.setBigUint64(ATTRIBUTE.VALUES, this.#values.address, true);
    view.setUint32(ATTRIBUTE.MAP_FD, map.fd, true);
  }

  /**
   * Hands over every entry that is there all the while. The sink may delete.
   *
   * @returns how many there were
   */
  forEach(sink: EntrySink): number {
    const { view, bytes } = this.#attribute;
    let entries = 0;
    view.setBigUint64(ATTRIBUTE.IN_BATCH, 0n, true);
    for (;;) {
      view.setUint32(ATTRIBUTE.COUNT, ENTRIES_AT_ONCE, true);
      const { errno } = callBpf(BPF_COMMAND.BPF_MAP_LOOKUP_BATCH, bytes);
      if (errno !== 0 && errno !== ERRNO.ENOENT) {
        throw bpfError('BPF_MAP_LOOKUP_BATCH', errno, `read map ${this.#map.name}`);
      }
      const count = view.getUint32(ATTRIBUTE.COUNT, true);
      this.#hand(count, sink);
      entries += count;
      if (errno !== 0) return entries;
      view.setBigUint64(ATTRIBUTE.IN_BATCH, this.#place.address, true);
    }
  }

  #hand(count: number, sink: EntrySink): void {
    for (let at = 0; at < count; at++) {
      sink(
        new DataView(this.#keys.bytes.buffer, at * this.#keyBytes, this.#keyBytes),
        new DataView(this.#values.bytes.buffer, at * this.#valueBytes, this.#valueBytes),
      );
    }
  }
}
