/**
 * Events from the records that programs in the kernel write.
 *
 * @module
 */
import type { MatchInput } from '../filter/match-input.ts';
import { ADDRESS_FLAGS, LAYERS } from '../packet/address.ts';
import {
  EVENT_NOTES,
  EVENT_RECORD,
  PROCESS_RECORD,
  REFLECT_EVENT,
  SOCKET_EVENT,
} from '../packet/event-layout.ts';
import { formatIPv4Address, formatIPv6Address } from '../packet/ip-text.ts';
import type { FlowEvent, ReflectEvent, SocketEvent } from './event.ts';

const NAME_BYTES = PROCESS_RECORD.BYTES - PROCESS_RECORD.NAME;
const NO_USER = 0xffff_ffff;
const WORD_BYTES = 4;

const decoder = new TextDecoder();

/** Names of the events from number 1 on. */
const FLOW_EVENTS = ['established', 'deleted'] as const;
const SOCKET_EVENTS = ['bind', 'connect', 'listen', 'accept', 'close'] as const;
const REFLECT_EVENTS = ['open', 'close'] as const;
/** Numbers of the first event of each layer (WINDIVERT_EVENT). */
const FIRST = { FLOW: 1, SOCKET: 3, REFLECT: 8 } as const;

/** @param record of the flow layer, {@link SOCKET_EVENT} */
export function decodeFlowEvent(record: DataView): FlowEvent {
  const event = FLOW_EVENTS[record.getUint8(EVENT_RECORD.EVENT) - FIRST.FLOW] ?? 'established';
  return { layer: 'flow', event, ...decodeEndpoints(record) };
}

/** @param record of the socket layer, {@link SOCKET_EVENT} */
export function decodeSocketEvent(record: DataView): SocketEvent {
  const event = SOCKET_EVENTS[record.getUint8(EVENT_RECORD.EVENT) - FIRST.SOCKET] ?? 'bind';
  const sniffed = (record.getUint8(EVENT_RECORD.FLAGS) & ADDRESS_FLAGS.SNIFFED) !== 0;
  return { layer: 'socket', event, sniffed, ...decodeEndpoints(record) };
}

/** @param record of the reflect layer, {@link REFLECT_EVENT} */
export function decodeReflectEvent(record: DataView): ReflectEvent {
  const objectLength = record.getUint32(REFLECT_EVENT.OBJECT_LENGTH, true);
  const textLength = record.getUint32(REFLECT_EVENT.TEXT_LENGTH, true);
  const { STRINGS } = REFLECT_EVENT;
  return {
    event: REFLECT_EVENTS[record.getUint8(EVENT_RECORD.EVENT) - FIRST.REFLECT] ?? 'open',
    timestamp: record.getBigUint64(EVENT_RECORD.TIMESTAMP, true),
    processId: record.getUint32(REFLECT_EVENT.PROCESS_ID, true),
    openedAt: record.getBigInt64(REFLECT_EVENT.OPEN_TIMESTAMP, true),
    layer: LAYERS[record.getUint32(REFLECT_EVENT.HANDLE_LAYER, true)] ?? LAYERS[0],
    flags: record.getBigUint64(REFLECT_EVENT.HANDLE_FLAGS, true),
    priority: record.getInt16(REFLECT_EVENT.PRIORITY, true),
    filter: textAt(record, STRINGS + objectLength, textLength),
    object: textAt(record, STRINGS, objectLength),
    handleId: record.getBigUint64(REFLECT_EVENT.HANDLE_ID, true),
  };
}

/** Fills in what a filter of the flow or socket layer is evaluated on. */
export function fillFromSocketEvent(input: MatchInput, record: DataView): void {
  const word = (offset: number): number => record.getUint32(offset, true);
  input.flags = record.getUint8(EVENT_RECORD.FLAGS);
  input.event = record.getUint8(EVENT_RECORD.EVENT);
  input.timestampLow = word(EVENT_RECORD.TIMESTAMP);
  input.timestampHigh = word(EVENT_RECORD.TIMESTAMP + WORD_BYTES);
  input.endpointIdLow = word(SOCKET_EVENT.ENDPOINT_ID);
  input.endpointIdHigh = word(SOCKET_EVENT.ENDPOINT_ID + WORD_BYTES);
  input.parentEndpointIdLow = word(SOCKET_EVENT.PARENT_ENDPOINT_ID);
  input.parentEndpointIdHigh = word(SOCKET_EVENT.PARENT_ENDPOINT_ID + WORD_BYTES);
  input.processId = word(SOCKET_EVENT.PROCESS_ID);
  input.local0 = word(SOCKET_EVENT.LOCAL_ADDRESS);
  input.local1 = word(SOCKET_EVENT.LOCAL_ADDRESS + WORD_BYTES);
  input.local2 = word(SOCKET_EVENT.LOCAL_ADDRESS + 2 * WORD_BYTES);
  input.local3 = word(SOCKET_EVENT.LOCAL_ADDRESS + 3 * WORD_BYTES);
  input.remote0 = word(SOCKET_EVENT.REMOTE_ADDRESS);
  input.remote1 = word(SOCKET_EVENT.REMOTE_ADDRESS + WORD_BYTES);
  input.remote2 = word(SOCKET_EVENT.REMOTE_ADDRESS + 2 * WORD_BYTES);
  input.remote3 = word(SOCKET_EVENT.REMOTE_ADDRESS + 3 * WORD_BYTES);
  input.localPort = record.getUint16(SOCKET_EVENT.LOCAL_PORT, true);
  input.remotePort = record.getUint16(SOCKET_EVENT.REMOTE_PORT, true);
  input.protocol = record.getUint8(SOCKET_EVENT.PROTOCOL);
  input.userId = word(SOCKET_EVENT.USER_ID);
  input.processName0 = word(SOCKET_EVENT.PROCESS_NAME);
  input.processName1 = word(SOCKET_EVENT.PROCESS_NAME + WORD_BYTES);
  input.processName2 = word(SOCKET_EVENT.PROCESS_NAME + 2 * WORD_BYTES);
  input.processName3 = word(SOCKET_EVENT.PROCESS_NAME + 3 * WORD_BYTES);
  // No process has an empty name.
  input.hasProcess = input.processName0 !== 0;
}

/** Whether a record's local end was not known to the program that wrote it. */
export function isLocalUnknown(record: DataView): boolean {
  return (record.getUint8(EVENT_RECORD.NOTES) & EVENT_NOTES.LOCAL_UNKNOWN) !== 0;
}

type Endpoints = Omit<FlowEvent, 'layer' | 'event'>;

function decodeEndpoints(record: DataView): Endpoints {
  const flags = record.getUint8(EVENT_RECORD.FLAGS);
  const ipv6 = (flags & ADDRESS_FLAGS.IPV6) !== 0;
  const userId = record.getUint32(SOCKET_EVENT.USER_ID, true);
  return {
    timestamp: record.getBigUint64(EVENT_RECORD.TIMESTAMP, true),
    processId: record.getUint32(SOCKET_EVENT.PROCESS_ID, true),
    processName: nameAt(record, SOCKET_EVENT.PROCESS_NAME),
    userId: userId === NO_USER ? null : userId,
    endpointId: record.getBigUint64(SOCKET_EVENT.ENDPOINT_ID, true),
    parentEndpointId: record.getBigUint64(SOCKET_EVENT.PARENT_ENDPOINT_ID, true),
    protocol: record.getUint8(SOCKET_EVENT.PROTOCOL),
    localAddress: addressAt(record, SOCKET_EVENT.LOCAL_ADDRESS, ipv6),
    localPort: record.getUint16(SOCKET_EVENT.LOCAL_PORT, true),
    remoteAddress: addressAt(record, SOCKET_EVENT.REMOTE_ADDRESS, ipv6),
    remotePort: record.getUint16(SOCKET_EVENT.REMOTE_PORT, true),
    outbound: (flags & ADDRESS_FLAGS.OUTBOUND) !== 0,
    loopback: (flags & ADDRESS_FLAGS.LOOPBACK) !== 0,
    ipv6,
  };
}

function addressAt(record: DataView, offset: number, ipv6: boolean): string {
  const words = [0, 1, 2, 3].map((word) => record.getUint32(offset + word * WORD_BYTES, true));
  return ipv6 ? formatIPv6Address(words) : formatIPv4Address(words[0] ?? 0);
}

function nameAt(record: DataView, offset: number): string {
  const text = textAt(record, offset, NAME_BYTES);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** Up to the end of the record, whatever length it says: other processes write some of them. */
function textAt(record: DataView, offset: number, length: number): string {
  const start = Math.min(offset, record.byteLength);
  const bytes = Math.min(length, record.byteLength - start);
  return decoder.decode(new Uint8Array(record.buffer, record.byteOffset + start, bytes));
}
