/**
 * Reads an address as callers write it into numbers.
 *
 * @module
 */

import { DivertError } from '../errors.ts';
import {
  ADDRESS_FLAGS,
  type AddressInit,
  type AddressValue,
  EVENTS,
  LAYERS,
  type Layer,
  type Wide,
} from '../packet/address.ts';
import { itemAt } from '../packet/bytes.ts';
import { parseIPv4Address, parseIPv6Address } from '../packet/ip-text.ts';
import { encodeProcessName } from './extended/process-name.ts';
import type { MatchInput } from './match-input.ts';

const IPV4_MAPPED = 0xffff;
const WORD = 0x1_0000_0000;

/** `close` is the name of two events: 7 on the socket layer, 9 on the reflect layer. */
const REFLECT_CLOSE = 9;

function invalid(name: string, value: unknown, expected: string): DivertError {
  return new DivertError(
    'invalid-parameter',
    `address: ${name} is ${typeof value === 'string' ? JSON.stringify(value) : String(value)}, expected ${expected}`,
  );
}

/**
 * The layer of an address.
 *
 * @param fallback - the layer where the address names none
 * @returns null when it is no layer
 */
export function addressLayer(address: AddressInit, fallback: Layer): Layer | null {
  const { layer } = address;
  if (layer === undefined || layer === fallback) return fallback;
  if (typeof layer === 'number') return LAYERS[layer] ?? null;
  return LAYERS.includes(layer) ? layer : null;
}

/**
 * Fills in the address of an input; the packet is left alone.
 *
 * @param input - overwritten
 * @param address - absent keys are 0 or false
 * @param layer - the layer of the address: what is read besides the common part
 * @throws {@link DivertError} `invalid-parameter` for text that is no event, number or IP address
 */
export function fillAddress(input: MatchInput, address: AddressInit, layer: Layer): void {
  input.flags = addressFlags(address);
  input.event = eventNumber(address.event, layer);
  fillTimestamp(input, address.timestamp);
  switch (layer) {
    case 'network':
    case 'forward':
      input.interfaceIndex = address.interfaceIndex ?? address.ifIdx ?? 0;
      input.subInterfaceIndex = address.subInterfaceIndex ?? address.subIfIdx ?? 0;
      return;
    case 'flow':
    case 'socket':
      fillEndpoints(input, address);
      return;
    case 'reflect':
      input.processId = address.processId ?? 0;
      input.priority = address.priority ?? 0;
      input.handleLayer = handleLayerNumber(address.handleLayer);
      return;
    default:
      layer satisfies never;
  }
}

/**
 * Fills in the process of an address: known when the address says anything of it.
 *
 * @param input - overwritten
 */
export function fillProcess(input: MatchInput, address: AddressInit): void {
  const { processId, userId, processName } = address;
  input.hasProcess = processId !== undefined || userId !== undefined || processName !== undefined;
  input.processId = processId ?? 0;
  input.userId = userId ?? 0;
  const [w0, w1, w2, w3] = encodeProcessName(processName ?? '');
  input.processName0 = w0;
  input.processName1 = w1;
  input.processName2 = w2;
  input.processName3 = w3;
}

/** The flags of an address as bits of `ADDRESS_FLAGS`. */
export function addressFlags(address: AddressInit): number {
  return (
    (address.sniffed ? ADDRESS_FLAGS.SNIFFED : 0) |
    (address.outbound ? ADDRESS_FLAGS.OUTBOUND : 0) |
    (address.loopback ? ADDRESS_FLAGS.LOOPBACK : 0) |
    (address.impostor ? ADDRESS_FLAGS.IMPOSTOR : 0) |
    (address.ipv6 ? ADDRESS_FLAGS.IPV6 : 0) |
    (address.ipChecksum ? ADDRESS_FLAGS.IP_CHECKSUM : 0) |
    (address.tcpChecksum ? ADDRESS_FLAGS.TCP_CHECKSUM : 0) |
    (address.udpChecksum ? ADDRESS_FLAGS.UDP_CHECKSUM : 0)
  );
}

/** Event 0, and the only one of packets. */
const PACKET_EVENT = EVENTS[0];

function eventNumber(event: AddressInit['event'], layer: Layer): number {
  if (event === undefined || event === PACKET_EVENT) return 0;
  if (typeof event === 'number') return event;
  if (event === 'close' && layer === 'reflect') return REFLECT_CLOSE;
  const found = EVENTS.indexOf(event);
  if (found < 0) throw invalid('event', event, `one of ${[...new Set(EVENTS)].join(', ')}`);
  return found;
}

function handleLayerNumber(layer: AddressInit['handleLayer']): number {
  if (layer === undefined) return 0;
  if (typeof layer === 'number') return layer;
  const found = LAYERS.indexOf(layer);
  if (found < 0) throw invalid('handleLayer', layer, `one of ${LAYERS.join(', ')}`);
  return found;
}

/** Scratch of {@link readWide}: one value, and its halves, the low one first. */
const wide: BigInt64Array = new BigInt64Array(1);
const halves: Int32Array = new Int32Array(wide.buffer);

function readWide(name: string, value: Wide | undefined): void {
  if (typeof value === 'bigint') {
    // Stored modulo 2^64, which is many times faster than BigInt arithmetic (measured).
    wide[0] = value;
    return;
  }
  const number = value ?? 0;
  if (typeof number === 'number' && Number.isSafeInteger(number)) {
    const high = Math.floor(number / WORD);
    halves[0] = number - high * WORD;
    halves[1] = high;
    return;
  }
  wide[0] = toBigInt(name, value);
}

function toBigInt(name: string, value: Wide | undefined): bigint {
  if (typeof value === 'string' && /^-?\d+$/.test(value)) return BigInt(value);
  throw invalid(name, value, 'an integer: bigint, safe number or decimal string');
}

function fillTimestamp(input: MatchInput, value: Wide | undefined): void {
  readWide('timestamp', value);
  input.timestampLow = itemAt(halves, 0);
  input.timestampHigh = itemAt(halves, 1);
}

function fillEndpoints(input: MatchInput, address: AddressInit): void {
  readWide('endpointId', address.endpointId);
  input.endpointIdLow = itemAt(halves, 0);
  input.endpointIdHigh = itemAt(halves, 1);
  readWide('parentEndpointId', address.parentEndpointId);
  input.parentEndpointIdLow = itemAt(halves, 0);
  input.parentEndpointIdHigh = itemAt(halves, 1);
  input.processId = address.processId ?? 0;
  const local = addressWords('localAddress', address.localAddress ?? address.localAddr);
  input.local0 = itemAt(local, 0);
  input.local1 = itemAt(local, 1);
  input.local2 = itemAt(local, 2);
  input.local3 = itemAt(local, 3);
  const remote = addressWords('remoteAddress', address.remoteAddress ?? address.remoteAddr);
  input.remote0 = itemAt(remote, 0);
  input.remote1 = itemAt(remote, 1);
  input.remote2 = itemAt(remote, 2);
  input.remote3 = itemAt(remote, 3);
  input.localPort = address.localPort ?? 0;
  input.remotePort = address.remotePort ?? 0;
  input.protocol = address.protocol ?? 0;
}

const UNSPECIFIED: readonly number[] = [0, 0, 0, 0];

function addressWords(name: string, value: AddressValue | undefined): readonly number[] {
  if (value === undefined) return UNSPECIFIED;
  if (typeof value !== 'string') {
    if (value.length === UNSPECIFIED.length) return value;
    throw invalid(name, value, 'an IPv4 or IPv6 address, or four 32-bit words');
  }
  const v4 = parseIPv4Address(value);
  if (v4 !== null) return [v4, IPV4_MAPPED, 0, 0];
  const words = parseIPv6Address(value);
  if (words === null) throw invalid(name, value, 'an IPv4 or IPv6 address, or four 32-bit words');
  return words;
}
