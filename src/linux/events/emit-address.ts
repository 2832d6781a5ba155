/**
 * The ends of a record of the flow and socket layers: its addresses, and what follows from them.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R10, type Register } from '../../bpf/instruction.ts';
import { ADDRESS_FLAGS } from '../../packet/address.ts';
import { EVENT_RECORD, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { SOCK_OPS } from '../bpf/contexts.ts';
import { SOCKET } from '../sys/constants.ts';
import { RECORD_AT } from './emit-record.ts';

const WORD_BYTES = 4;
const ADDRESS_WORDS = 4;
/** Word 1 of an IPv4 address. */
const IPV4_MAPPED = 0xffff;
const LOOPBACK_NET = 127;
const LOOPBACK_NET_SHIFT = 24;

/**
 * Writes an IPv4 address that is in network order in `base`. Loses r0.
 *
 * @param from where it is from `base` on
 * @param to offset in the record
 */
export function emitIPv4Address(
  assembler: Assembler,
  base: Register,
  from: number,
  to: number,
): void {
  assembler.load('W', R0, base, from);
  assembler.swapBigEndian(R0, 32);
  assembler.store('W', R10, RECORD_AT + to, R0);
  assembler.storeImmediate('W', R10, RECORD_AT + to + WORD_BYTES, IPV4_MAPPED);
}

/** As {@link emitIPv4Address}, for IPv6 or IPv4 as `::ffff:a.b.c.d`. */
export function emitIPv6Address(
  assembler: Assembler,
  base: Register,
  from: number,
  to: number,
): void {
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    assembler.load('W', R0, base, from + word * WORD_BYTES);
    assembler.swapBigEndian(R0, 32);
    assembler.store('W', R10, RECORD_AT + to + (ADDRESS_WORDS - 1 - word) * WORD_BYTES, R0);
  }
}

/** Offsets in a context that has both ends, addresses in network order. */
export interface ContextEnds {
  readonly FAMILY: number;
  readonly LOCAL_IP4: number;
  readonly LOCAL_IP6: number;
  readonly REMOTE_IP4: number;
  readonly REMOTE_IP6: number;
}

/** Writes both addresses as the context has them. Loses r0. */
export function emitContextAddresses(
  assembler: Assembler,
  context: Register,
  ends: ContextEnds,
): void {
  const { LOCAL_ADDRESS, REMOTE_ADDRESS } = SOCKET_EVENT;
  const ipv6 = assembler.newLabel('ipv6');
  const done = assembler.newLabel('addresses');
  assembler.load('W', R0, context, ends.FAMILY);
  assembler.jumpIf('JEQ', R0, SOCKET.AF_INET6, ipv6);
  emitIPv4Address(assembler, context, ends.LOCAL_IP4, LOCAL_ADDRESS);
  emitIPv4Address(assembler, context, ends.REMOTE_IP4, REMOTE_ADDRESS);
  assembler.jump(done);
  assembler.label(ipv6);
  emitIPv6Address(assembler, context, ends.LOCAL_IP6, LOCAL_ADDRESS);
  emitIPv6Address(assembler, context, ends.REMOTE_IP6, REMOTE_ADDRESS);
  assembler.label(done);
}

/** Writes addresses and ports as a callback of a TCP socket has them. Loses r0. */
export function emitSockOpsEnds(assembler: Assembler, context: Register): void {
  emitContextAddresses(assembler, context, SOCK_OPS);
  assembler.load('W', R0, context, SOCK_OPS.LOCAL_PORT);
  assembler.store('H', R10, RECORD_AT + SOCKET_EVENT.LOCAL_PORT, R0);
  assembler.load('W', R0, context, SOCK_OPS.REMOTE_PORT);
  assembler.swapBigEndian(R0, 32);
  assembler.store('H', R10, RECORD_AT + SOCKET_EVENT.REMOTE_PORT, R0);
}

/** Which addresses of a record are known. */
export interface KnownEnds {
  readonly local: boolean;
  readonly remote: boolean;
}

/**
 * Sets the flags for IPv6 (neither known address is IPv4) and loopback (a known address is of the host
 * itself, or both are the same), from the addresses in the record. Loses r0 and r1.
 */
export function emitFamily(assembler: Assembler, ends: KnownEnds): void {
  const { LOCAL_ADDRESS, REMOTE_ADDRESS } = SOCKET_EVENT;
  const addresses = [
    ...(ends.remote ? [REMOTE_ADDRESS] : []),
    ...(ends.local ? [LOCAL_ADDRESS] : []),
  ];
  const [first] = addresses;
  if (first === undefined) return;
  const loopback = assembler.newLabel('loopback');
  const done = assembler.newLabel('family_known');
  assembler.comment('family');
  assembler.load('B', R1, R10, RECORD_AT + EVENT_RECORD.FLAGS);
  emitIPv6Flag(assembler, first);
  for (const address of addresses) emitLoopbackAddress(assembler, address, loopback);
  if (ends.local && ends.remote) emitSameAddresses(assembler, done);
  else assembler.jump(done);
  assembler.label(loopback);
  assembler.alu('OR', R1, ADDRESS_FLAGS.LOOPBACK);
  assembler.label(done);
  assembler.store('B', R10, RECORD_AT + EVENT_RECORD.FLAGS, R1);
}

function loadWord(assembler: Assembler, address: number, word: number): void {
  assembler.load('W', R0, R10, RECORD_AT + address + word * WORD_BYTES);
}

/** Sets the bit in r1. */
function emitIPv6Flag(assembler: Assembler, address: number): void {
  const ipv6 = assembler.newLabel('ipv6');
  const done = assembler.newLabel();
  loadWord(assembler, address, 1);
  assembler.jumpIf('JNE', R0, IPV4_MAPPED, ipv6);
  for (const word of [2, 3]) {
    loadWord(assembler, address, word);
    assembler.jumpIf('JNE', R0, 0, ipv6);
  }
  assembler.jump(done);
  assembler.label(ipv6);
  assembler.alu('OR', R1, ADDRESS_FLAGS.IPV6);
  assembler.label(done);
}

/** To `loopback` for 127.0.0.0/8 and ::1. */
function emitLoopbackAddress(assembler: Assembler, address: number, loopback: Label): void {
  const ipv6 = assembler.newLabel();
  const other = assembler.newLabel();
  for (const word of [2, 3]) {
    loadWord(assembler, address, word);
    assembler.jumpIf('JNE', R0, 0, other);
  }
  loadWord(assembler, address, 1);
  assembler.jumpIf('JEQ', R0, 0, ipv6);
  assembler.jumpIf('JNE', R0, IPV4_MAPPED, other);
  loadWord(assembler, address, 0);
  assembler.alu('RSH', R0, LOOPBACK_NET_SHIFT);
  assembler.jumpIf('JEQ', R0, LOOPBACK_NET, loopback);
  assembler.jump(other);
  assembler.label(ipv6);
  loadWord(assembler, address, 0);
  assembler.jumpIf('JEQ', R0, 1, loopback);
  assembler.label(other);
}

/** To `different`, or on. Loses r2. */
function emitSameAddresses(assembler: Assembler, different: Label): void {
  const { LOCAL_ADDRESS, REMOTE_ADDRESS } = SOCKET_EVENT;
  for (let word = 0; word < ADDRESS_WORDS; word++) {
    loadWord(assembler, LOCAL_ADDRESS, word);
    assembler.load('W', R2, R10, RECORD_AT + REMOTE_ADDRESS + word * WORD_BYTES);
    assembler.jumpIfRegister('JNE', R0, R2, different);
  }
}
