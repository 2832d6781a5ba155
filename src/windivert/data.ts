/**
 * The union of `WINDIVERT_ADDRESS`: what each layer says about a packet or event.
 *
 * @module
 */
import { Structure, setWordsAt, type Words, wordsAt } from './structure.ts';

const NETWORK = { IF_IDX: 0, SUB_IF_IDX: 4, BYTES: 8 } as const;

/** `WINDIVERT_DATA_NETWORK`: network and forward layer. */
export class WINDIVERT_DATA_NETWORK extends Structure {
  constructor(bytes: Uint8Array = new Uint8Array(NETWORK.BYTES), offset = 0) {
    super(bytes, offset, NETWORK.BYTES);
  }

  get IfIdx(): number {
    return this.view.getUint32(NETWORK.IF_IDX, true);
  }
  set IfIdx(value: number) {
    this.view.setUint32(NETWORK.IF_IDX, value, true);
  }
  get SubIfIdx(): number {
    return this.view.getUint32(NETWORK.SUB_IF_IDX, true);
  }
  set SubIfIdx(value: number) {
    this.view.setUint32(NETWORK.SUB_IF_IDX, value, true);
  }
}

const FLOW = {
  ENDPOINT_ID: 0,
  PARENT_ENDPOINT_ID: 8,
  PROCESS_ID: 16,
  LOCAL_ADDR: 20,
  REMOTE_ADDR: 36,
  LOCAL_PORT: 52,
  REMOTE_PORT: 54,
  PROTOCOL: 56,
  BYTES: 64,
} as const;

/** `WINDIVERT_DATA_FLOW`. Addresses are in host order, word 0 least significant. */
export class WINDIVERT_DATA_FLOW extends Structure {
  constructor(bytes: Uint8Array = new Uint8Array(FLOW.BYTES), offset = 0) {
    super(bytes, offset, FLOW.BYTES);
  }

  get EndpointId(): bigint {
    return this.view.getBigUint64(FLOW.ENDPOINT_ID, true);
  }
  set EndpointId(value: bigint) {
    this.view.setBigUint64(FLOW.ENDPOINT_ID, value, true);
  }
  get ParentEndpointId(): bigint {
    return this.view.getBigUint64(FLOW.PARENT_ENDPOINT_ID, true);
  }
  set ParentEndpointId(value: bigint) {
    this.view.setBigUint64(FLOW.PARENT_ENDPOINT_ID, value, true);
  }
  get ProcessId(): number {
    return this.view.getUint32(FLOW.PROCESS_ID, true);
  }
  set ProcessId(value: number) {
    this.view.setUint32(FLOW.PROCESS_ID, value, true);
  }
  get LocalAddr(): Words {
    return wordsAt(this, FLOW.LOCAL_ADDR);
  }
  set LocalAddr(words: Iterable<number>) {
    setWordsAt(this, FLOW.LOCAL_ADDR, words);
  }
  get RemoteAddr(): Words {
    return wordsAt(this, FLOW.REMOTE_ADDR);
  }
  set RemoteAddr(words: Iterable<number>) {
    setWordsAt(this, FLOW.REMOTE_ADDR, words);
  }
  get LocalPort(): number {
    return this.view.getUint16(FLOW.LOCAL_PORT, true);
  }
  set LocalPort(value: number) {
    this.view.setUint16(FLOW.LOCAL_PORT, value, true);
  }
  get RemotePort(): number {
    return this.view.getUint16(FLOW.REMOTE_PORT, true);
  }
  set RemotePort(value: number) {
    this.view.setUint16(FLOW.REMOTE_PORT, value, true);
  }
  get Protocol(): number {
    return this.view.getUint8(FLOW.PROTOCOL);
  }
  set Protocol(value: number) {
    this.view.setUint8(FLOW.PROTOCOL, value);
  }
}

/** `WINDIVERT_DATA_SOCKET`: laid out as the flow layer's. */
export const WINDIVERT_DATA_SOCKET: typeof WINDIVERT_DATA_FLOW = WINDIVERT_DATA_FLOW;
export type WINDIVERT_DATA_SOCKET = WINDIVERT_DATA_FLOW;

const REFLECT = {
  TIMESTAMP: 0,
  PROCESS_ID: 8,
  LAYER: 12,
  FLAGS: 16,
  PRIORITY: 24,
  BYTES: 32,
} as const;

/** `WINDIVERT_DATA_REFLECT`: a handle that was opened or closed. */
export class WINDIVERT_DATA_REFLECT extends Structure {
  constructor(bytes: Uint8Array = new Uint8Array(REFLECT.BYTES), offset = 0) {
    super(bytes, offset, REFLECT.BYTES);
  }

  /** When the handle was opened. */
  get Timestamp(): bigint {
    return this.view.getBigInt64(REFLECT.TIMESTAMP, true);
  }
  set Timestamp(value: bigint) {
    this.view.setBigInt64(REFLECT.TIMESTAMP, value, true);
  }
  get ProcessId(): number {
    return this.view.getUint32(REFLECT.PROCESS_ID, true);
  }
  set ProcessId(value: number) {
    this.view.setUint32(REFLECT.PROCESS_ID, value, true);
  }
  get Layer(): number {
    return this.view.getUint32(REFLECT.LAYER, true);
  }
  set Layer(value: number) {
    this.view.setUint32(REFLECT.LAYER, value, true);
  }
  get Flags(): bigint {
    return this.view.getBigUint64(REFLECT.FLAGS, true);
  }
  set Flags(value: bigint) {
    this.view.setBigUint64(REFLECT.FLAGS, value, true);
  }
  get Priority(): number {
    return this.view.getInt16(REFLECT.PRIORITY, true);
  }
  set Priority(value: number) {
    this.view.setInt16(REFLECT.PRIORITY, value, true);
  }
}
