/**
 * The table of flows without connections, and how its entries end: with their socket, or by silence.
 *
 * @module
 */
import { EVENT_RECORD, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { BPF_MAP_FLAG } from '../bpf/constants.ts';
import { BpfMap } from '../bpf/map.ts';
import { MapBatchReader } from '../bpf/map-batch.ts';
import { FLOW_EVENT, FLOW_KEY, FLOW_VALUE, MAX_FLOWS } from './layout.ts';

/** Gets the record of a flow that ended, valid until it returns. */
export type EndedSink = (record: DataView) => void;

/** One handle's table. */
export class FlowTable {
  readonly #map: BpfMap;
  readonly #reader: MapBatchReader;
  /** By cookie: when the socket went. */
  readonly #released = new Map<bigint, bigint>();

  /** @param name of the map, for listings */
  constructor(name: string) {
    this.#map = new BpfMap({
      name,
      type: 'HASH',
      keyBytes: FLOW_KEY.BYTES,
      valueBytes: FLOW_VALUE.BYTES,
      maxEntries: MAX_FLOWS,
      flags: BPF_MAP_FLAG.BPF_F_NO_PREALLOC,
    });
    this.#reader = new MapBatchReader(this.#map, FLOW_KEY.BYTES, FLOW_VALUE.BYTES);
  }

  /** For programs. */
  get fd(): number {
    return this.#map.fd;
  }

  /** Whether there are sockets gone whose flows {@link FlowTable.end} has to end. */
  get hasReleased(): boolean {
    return this.#released.size > 0;
  }

  /** Notes that a socket is gone. */
  release(cookie: bigint, timestampNs: bigint): void {
    this.#released.set(cookie, timestampNs);
  }

  /**
   * Ends the flows of sockets that are gone, and those without packets since `silentSinceNs`.
   *
   * @param nowNs the end of silent flows
   * @param sink gets each with the time of its end
   */
  end(silentSinceNs: bigint, nowNs: bigint, sink: EndedSink): void {
    const released = this.#released;
    const ended: { key: Uint8Array; record: DataView }[] = [];
    this.#reader.forEach((key, value) => {
      const goneNs = released.get(key.getBigUint64(FLOW_KEY.COOKIE, true));
      const isSilent = value.getBigUint64(FLOW_VALUE.LAST_SEEN, true) < silentSinceNs;
      if (goneNs === undefined && !isSilent) return;
      ended.push({ key: copyOf(key), record: endedRecord(value, goneNs ?? nowNs) });
    });
    released.clear();
    for (const { key, record } of ended) if (this.#map.delete(key)) sink(record);
  }

  /** Idempotent. */
  close(): void {
    this.#map.close();
  }
}

function copyOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
}

function endedRecord(value: DataView, timestampNs: bigint): DataView {
  const start = value.byteOffset + FLOW_VALUE.RECORD;
  const bytes = new Uint8Array(value.buffer, start, SOCKET_EVENT.BYTES).slice();
  const record = new DataView(bytes.buffer);
  record.setUint8(EVENT_RECORD.EVENT, FLOW_EVENT.DELETED);
  record.setBigUint64(EVENT_RECORD.TIMESTAMP, timestampNs, true);
  return record;
}
