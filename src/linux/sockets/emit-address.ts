/**
 * Addresses of sockets as words. r7 is the record.
 *
 * @module
 */
import type { Assembler } from '../../bpf/assembler.ts';
import { R1, R7, type Register } from '../../bpf/instruction.ts';
import { SOCKET } from '../sys/constants.ts';

/** Words of IPv4-mapped addresses. */
const MAPPED_WORD = 0xffff;

/** Where an address is, in network order. */
export interface AddressPlace {
  readonly base: Register;
  /** Offset of the family, where only the socket knows it; otherwise the IP version. */
  readonly family: number | 'ipv4' | 'ipv6';
  readonly ip4: number;
  readonly ip6: number;
}

/** Stores an address as words at an offset in the record. */
export function emitAddress(assembler: Assembler, place: AddressPlace, target: number): void {
  const { base, family, ip4, ip6 } = place;
  if (family === 'ipv4') {
    emitAddress4(assembler, base, ip4, target);
  } else if (family === 'ipv6') {
    emitAddress6(assembler, base, ip6, target);
  } else {
    const version4 = assembler.newLabel('ipv4');
    const done = assembler.newLabel();
    assembler.load('W', R1, base, family);
    assembler.jumpIf('JEQ', R1, SOCKET.AF_INET, version4);
    emitAddress6(assembler, base, ip6, target);
    assembler.jump(done);
    assembler.label(version4);
    emitAddress4(assembler, base, ip4, target);
    assembler.label(done);
  }
}

function emitAddress4(assembler: Assembler, base: Register, ip4: number, target: number): void {
  assembler.load('W', R1, base, ip4);
  assembler.swapBigEndian(R1, 32);
  assembler.store('W', R7, target, R1);
  assembler.storeImmediate('W', R7, target + 4, MAPPED_WORD);
  assembler.storeImmediate('DW', R7, target + 8, 0);
}

function emitAddress6(assembler: Assembler, base: Register, ip6: number, target: number): void {
  for (let word = 0; word < 4; word++) {
    assembler.load('W', R1, base, ip6 + 4 * (3 - word));
    assembler.swapBigEndian(R1, 32);
    assembler.store('W', R7, target + 4 * word, R1);
  }
}
