/**
 * The code that brings the value of a comparison into registers: r0 for up to 32 bits, r2-r5 for
 * addresses, most significant word first.
 *
 * @module
 */

import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R5, R10, type Register } from '../../bpf/instruction.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { ADDRESS_OFFSETS, FLOW_LABEL, type HeaderField, PORT_OFFSETS } from '../header-fields.ts';
import type { Side, Value } from './checks.ts';
import { CONTEXT, DATA_END, FRAME, IPV6_FIRST_BYTE, loadSlot, PROTOCOL, SKB } from './frame.ts';
import { V4_WORLDS, V6_WORLDS, type Worlds } from './worlds.ts';

/** Registers of an address, most significant word first. */
export const ADDRESS_REGISTERS: readonly Register[] = [R2, R3, R4, R5];

const IPV4_MAPPED_WORD = 0xffff;
const LOAD_SIZES = { 1: 'B', 2: 'H', 4: 'W' } as const;
const ALL_BITS = { 1: 0xff, 2: 0xffff, 4: 0xffff_ffff } as const;
/** Bytes of the packet that every program has on its stack. */
const COPIED_BYTES = 20;

/** Where loading can lead besides to the value. */
export interface ValueExits {
  /** The bytes are not there. */
  readonly failure: Label;
  /** The bytes may change before the reader gets them. */
  readonly unknown: Label;
}

/**
 * A name for a value: two with the same name are the same as long as the packet is.
 *
 * @returns text to compare
 */
export function valueKey(value: Value): string {
  switch (value.kind) {
    case 'header': {
      const { header, at, size, shift, mask } = value.field;
      return `${slotOf(header)}+${at}:${size}>>${shift}&${mask >>> 0}`;
    }
    case 'address':
    case 'port':
      return `${value.kind} ${value.side}`;
    case 'bytes':
      return bytesKey(value);
    case 'constant':
      return `constant ${value.value}`;
    default:
      return value.kind;
  }
}

type Bytes = Extract<Value, { kind: 'bytes' }>;

function bytesKey(value: Bytes): string {
  return `${value.base}[${value.index}]:${value.size}`;
}

/** Whether a value takes the four registers of an address; others are in r0. */
export function isWide(value: Value): boolean {
  return value.kind === 'address' || value.kind === 'process-name';
}

/** Whether a value can only be had once the process was looked up. */
export function needsProcess({ kind }: Value): boolean {
  return kind === 'process-id' || kind === 'user-id' || kind === 'process-name';
}

/** Whether a value can only be had once the transport header was parsed. */
export function needsTransport(value: Value): boolean {
  switch (value.kind) {
    case 'header':
      return value.field.header !== 'ip' && value.field.header !== 'ipv6';
    case 'bytes':
      return value.base === 'payload' || value.mayBeChecksum;
    case 'port':
    case 'payload-length':
    case 'protocol':
    case 'fragment':
      return true;
    default:
      return false;
  }
}

/**
 * Loads a value.
 *
 * @param worlds what packets here can be; the value's header is there in all of them
 */
export function emitValue(
  assembler: Assembler,
  value: Value,
  worlds: Worlds,
  exits: ValueExits,
): void {
  switch (value.kind) {
    case 'header':
      emitHeaderField(assembler, value.field);
      return;
    case 'address':
      emitAddress(assembler, value.side, worlds);
      return;
    case 'port':
      emitPort(assembler, value.side);
      return;
    case 'bytes':
      emitBytes(assembler, value, exits);
      return;
    case 'payload-length':
      emitPayloadLength(assembler);
      return;
    case 'flow-label':
      emitFlowLabel(assembler);
      return;
    case 'length':
      assembler.load('W', R0, CONTEXT, SKB.LEN);
      return;
    case 'interface':
      assembler.load('W', R0, CONTEXT, SKB.INGRESS_IFINDEX);
      return;
    case 'constant':
      assembler.moveImmediate(R0, value.value);
      return;
    case 'process-id':
    case 'user-id':
    case 'process-name':
      emitProcessValue(assembler, value.kind, exits.failure);
      return;
    case 'protocol':
      loadSlot(assembler, R0, FRAME.PROTOCOL);
      return;
    default:
      loadSlot(assembler, R0, FRAME.FRAGMENT);
  }
}

/** To `failure` where no process is known. */
function emitProcessValue(
  assembler: Assembler,
  kind: 'process-id' | 'user-id' | 'process-name',
  failure: Label,
): void {
  loadSlot(assembler, R1, FRAME.HAS_PROCESS);
  assembler.jumpIf('JEQ', R1, 0, failure);
  if (kind !== 'process-name') {
    loadSlot(assembler, R0, kind === 'process-id' ? FRAME.PROCESS_ID : FRAME.USER_ID);
    return;
  }
  FRAME.PROCESS_NAME.forEach((slot, word) => {
    loadSlot(assembler, ADDRESS_REGISTERS.at(-1 - word) ?? R0, slot);
  });
}

function slotOf(header: HeaderField['header']): number {
  return header === 'ip' || header === 'ipv6' ? FRAME.NETWORK_HEADER : FRAME.TRANSPORT_HEADER;
}

function emitHeaderField(assembler: Assembler, field: HeaderField): void {
  const { header, at, size, shift, mask } = field;
  emitBigEndian(assembler, R0, slotOf(header) + at, size);
  if (shift > 0) assembler.alu('RSH', R0, shift);
  if (mask >>> 0 !== ALL_BITS[size] >>> shift) assembler.alu('AND', R0, mask);
}

function emitBigEndian(
  assembler: Assembler,
  register: Register,
  offset: number,
  size: 1 | 2 | 4,
): void {
  assembler.load(LOAD_SIZES[size], register, R10, offset);
  if (size > 1) assembler.swapBigEndian(register, size === 2 ? 16 : 32);
}

function emitPayloadLength(assembler: Assembler): void {
  assembler.move(R0, DATA_END);
  loadSlot(assembler, R1, FRAME.PAYLOAD_OFFSET);
  assembler.aluRegister('SUB', R0, R1);
}

function emitFlowLabel(assembler: Assembler): void {
  const { HIGH_BITS, HIGH_MASK, HIGH_SHIFT, LOW_BITS, LOW_SHIFT } = FLOW_LABEL;
  emitBigEndian(assembler, R0, FRAME.NETWORK_HEADER + LOW_BITS, 2);
  assembler.alu('LSH', R0, LOW_SHIFT);
  emitBigEndian(assembler, R1, FRAME.NETWORK_HEADER + HIGH_BITS, 1);
  assembler.alu('AND', R1, HIGH_MASK);
  assembler.alu('LSH', R1, HIGH_SHIFT);
  assembler.aluRegister('OR', R0, R1);
}

function emitAddress(assembler: Assembler, side: Side, worlds: Worlds): void {
  const hasV4 = (worlds & V4_WORLDS) !== 0;
  const hasV6 = (worlds & V6_WORLDS) !== 0;
  const [offset4, offset6] =
    side === 'source'
      ? [ADDRESS_OFFSETS.IPV4_SOURCE, ADDRESS_OFFSETS.IPV6_SOURCE]
      : [ADDRESS_OFFSETS.IPV4_DESTINATION, ADDRESS_OFFSETS.IPV6_DESTINATION];
  const ipv6 = assembler.newLabel('address6');
  const loaded = assembler.newLabel('address');
  if (hasV4 && hasV6) {
    assembler.load('B', R1, R10, FRAME.NETWORK_HEADER);
    assembler.jumpIf('JGE', R1, IPV6_FIRST_BYTE, ipv6);
  }
  if (hasV4) {
    assembler.moveImmediate(R2, 0);
    assembler.moveImmediate(R3, 0);
    assembler.moveImmediate(R4, IPV4_MAPPED_WORD);
    emitBigEndian(assembler, R5, FRAME.NETWORK_HEADER + offset4, 4);
    assembler.jump(loaded);
  }
  assembler.label(ipv6);
  ADDRESS_REGISTERS.forEach((register, word) => {
    emitBigEndian(assembler, register, FRAME.NETWORK_HEADER + offset6 + word * 4, 4);
  });
  assembler.label(loaded);
}

/** TCP and UDP ports; of ICMP packets the type is the source's port; of all others 0. */
function emitPort(assembler: Assembler, side: Side): void {
  const port = assembler.newLabel('port');
  const loaded = assembler.newLabel('port_loaded');
  const at = side === 'source' ? PORT_OFFSETS.SOURCE : PORT_OFFSETS.DESTINATION;
  assembler.jumpIf('JEQ', PROTOCOL, IPPROTO.TCP, port);
  assembler.jumpIf('JEQ', PROTOCOL, IPPROTO.UDP, port);
  assembler.moveImmediate(R0, 0);
  if (side === 'source') {
    assembler.jumpIf('JEQ', PROTOCOL, 0, loaded);
    emitBigEndian(assembler, R0, FRAME.TRANSPORT_HEADER, 1);
  }
  assembler.jump(loaded);
  assembler.label(port);
  emitBigEndian(assembler, R0, FRAME.TRANSPORT_HEADER + at, 2);
  assembler.label(loaded);
}

function emitBytes(assembler: Assembler, value: Bytes, exits: ValueExits): void {
  if (value.base === 'payload') emitPayloadBytes(assembler, value, exits.failure);
  else if (value.index >= 0) emitBytesForward(assembler, value, exits);
  else emitBytesBackward(assembler, value, exits);
}

function emitBytesForward(assembler: Assembler, value: Bytes, exits: ValueExits): void {
  const { index, size } = value;
  // The verifier wants loads from the stack aligned.
  if (index + size <= COPIED_BYTES && index % size === 0) {
    emitBigEndian(assembler, R0, FRAME.NETWORK_HEADER + index, size);
    return;
  }
  assembler.load('W', R1, CONTEXT, SKB.LEN);
  assembler.jumpIf('JLT', R1, index + size, exits.failure);
  if (value.mayBeChecksum) {
    assembler.moveImmediate(R2, index + size - 1);
    emitChecksumOverlap(assembler, size, exits.unknown);
  }
  assembler.loadPacket(LOAD_SIZES[size], index);
}

function emitBytesBackward(assembler: Assembler, value: Bytes, exits: ValueExits): void {
  const { index, size } = value;
  assembler.load('W', R1, CONTEXT, SKB.LEN);
  assembler.jumpIf('JLT', R1, -index, exits.failure);
  assembler.alu('ADD', R1, index);
  if (value.mayBeChecksum) {
    assembler.move(R2, R1);
    assembler.alu('ADD', R2, size - 1);
    emitChecksumOverlap(assembler, size, exits.unknown, R3);
  }
  assembler.loadPacketIndexed(LOAD_SIZES[size], R1, 0);
}

const CHECKSUM_BYTES = 2;

/** To `unknown` when bytes that end with the one in r2 and those of the checksum overlap. */
function emitChecksumOverlap(
  assembler: Assembler,
  size: number,
  unknown: Label,
  scratch: Register = R1,
): void {
  loadSlot(assembler, scratch, FRAME.CHECKSUM_OFFSET);
  assembler.aluRegister('SUB', R2, scratch);
  assembler.jumpIf('JLT', R2, size - 1 + CHECKSUM_BYTES, unknown);
}

function emitPayloadBytes(assembler: Assembler, value: Bytes, failure: Label): void {
  const { index, size } = value;
  loadSlot(assembler, R1, FRAME.PAYLOAD_OFFSET);
  assembler.move(R2, DATA_END);
  assembler.aluRegister('SUB', R2, R1);
  assembler.jumpIf('JLT', R2, index < 0 ? -index : index + size, failure);
  if (index < 0) {
    assembler.loadPacketIndexed(LOAD_SIZES[size], DATA_END, index);
  } else {
    assembler.loadPacketIndexed(LOAD_SIZES[size], R1, index);
  }
}
