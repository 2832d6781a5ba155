/**
 * Registering handles: one map for each, which is gone with the process, however that ends.
 *
 * @module
 */
import type { Filter } from '../../filter/index.ts';
import { BpfMap } from '../bpf/map.ts';
import { readMapInfo } from '../bpf/object-ids.ts';
import {
  encodeHandleRecord,
  type HandleIdentity,
  type HandleRecord,
  type HandleTraits,
  REFLECT_EVENT_NUMBER,
  setHandleId,
  stampRecord,
} from './handle-record.ts';
import { REGISTRY_PREFIX } from './map-walk.ts';
import { globalProcessId } from './process-id.ts';
import { Publisher } from './publisher.ts';

/** That a handle is known to be open. */
export interface Registration {
  /** Its filter was swapped. Not reported; later lists show it. */
  update(filter: Filter): void;
  /** It is closed: reflect handles are told. Idempotent. */
  close(): void;
}

const NAME = `${REGISTRY_PREFIX}${process.pid}`;
const KEY: Uint8Array = new Uint8Array(4);

const publisher = new Publisher();

/**
 * Registers a handle that was opened and tells the reflect handles of the machine. Never throws: a
 * handle that cannot be registered works, and nobody learns of it. Reflect handles are not registered.
 *
 * @param traits the handle's resolved options
 */
export function registerHandle(traits: HandleTraits, filter: Filter): Registration {
  const openedAt = process.hrtime.bigint();
  try {
    return new RegisteredHandle(traits, filter, openedAt);
  } catch {
    return UNREGISTERED;
  }
}

const UNREGISTERED: Registration = { update: () => {}, close: () => {} };

class RegisteredHandle implements Registration {
  readonly #traits: HandleTraits;
  readonly #identity: HandleIdentity;
  #record: HandleRecord;
  #map: BpfMap;
  #isOpen = true;

  constructor(traits: HandleTraits, filter: Filter, openedAt: bigint) {
    this.#traits = traits;
    const processId = globalProcessId();
    this.#record = encodeHandleRecord(traits, filter, { processId, openedAt, handleId: 0 });
    this.#map = createMap(this.#record);
    try {
      // The map's number names the handle.
      const handleId = readMapInfo(this.#map.fd).id;
      this.#identity = { processId, openedAt, handleId };
      setHandleId(this.#record, handleId);
      fillMap(this.#map, this.#record);
      publisher.noteNewest(handleId);
      stampRecord(this.#record.memory.view, REFLECT_EVENT_NUMBER.OPEN);
      publisher.publish(this.#record);
    } catch (error) {
      this.#map.close();
      throw error;
    }
  }

  update(filter: Filter): void {
    if (!this.#isOpen) return;
    const before = this.#map;
    try {
      // Maps do not grow, and whoever reads one must not see half of a change: another map it is.
      const record = encodeHandleRecord(this.#traits, filter, this.#identity);
      this.#map = createMap(record);
      fillMap(this.#map, record);
      this.#record = record;
    } catch {
      // The old text is better than none.
      if (this.#map !== before) this.#map.close();
      this.#map = before;
      return;
    }
    before.close();
  }

  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    try {
      stampRecord(this.#record.memory.view, REFLECT_EVENT_NUMBER.CLOSE);
      publisher.publish(this.#record);
      this.#map.close();
      // A reflect handle that was opened in between has listed the map, but was not told.
      publisher.publishTo(publisher.findNew(), this.#record);
    } catch {
      // Who was not told sees that the map is gone.
    } finally {
      this.#map.close();
    }
  }
}

function createMap({ lengthBytes }: HandleRecord): BpfMap {
  return new BpfMap({
    name: NAME,
    type: 'ARRAY',
    keyBytes: KEY.length,
    valueBytes: lengthBytes,
    maxEntries: 1,
  });
}

function fillMap(map: BpfMap, { memory, lengthBytes }: HandleRecord): void {
  map.update(KEY, memory.bytes.subarray(0, lengthBytes));
}
