/**
 * What programs hand on of a packet's owner.
 *
 * @module
 */
import type { Assembler } from '../../bpf/assembler.ts';
import { R0, R1, R2, R10, type Register } from '../../bpf/instruction.ts';
import type { MatchInput } from '../../filter/match-input.ts';
import { PROCESS_RECORD } from '../../packet/event-layout.ts';
import { emitCopy } from '../sockets/emit.ts';
import { SOCKET_FLAGS, SOCKET_RECORD } from '../sockets/socket-record.ts';
import type { Owner } from './process-directory.ts';
import { emitProcessLookup, LOOKUP_FRAME, type ProcessLookup } from './process-lookup.ts';

/** Offsets in the part. */
export const OWNER_PART = {
  /** `PROCESS_RECORD`; process 0: not known. */
  PROCESS: 0,
  /** u64, monotonic nanoseconds, since when the socket is the process's. */
  OWNER_SINCE: 32,
  /** u32: other than 0 when the process is a guess. */
  IS_LIKELY: 40,
} as const;

/** Bytes of the part. */
export const OWNER_PART_BYTES = 48;

/**
 * Finds the packet's owner and writes the part. Takes the context in r6; loses r0-r5 and the stack as
 * {@link emitProcessLookup}.
 */
export function emitLookedUpPart(
  assembler: Assembler,
  lookup: ProcessLookup,
  base: Register,
  offset: number,
): void {
  const nobody = assembler.newLabel('nobody');
  const done = assembler.newLabel();
  emitProcessLookup(assembler, lookup);
  assembler.jumpIf64('JEQ', R0, 0, nobody);
  emitOwnerPart(assembler, base, offset);
  assembler.jump(done);
  assembler.label(nobody);
  emitNobody(assembler, base, offset);
  assembler.label(done);
}

/** Copies what is known of the owner that r0 points to. Loses r1 and r2. */
export function emitOwnerPart(assembler: Assembler, base: Register, offset: number): void {
  emitCopy(assembler, base, offset, R0, SOCKET_RECORD.PROCESS, PROCESS_RECORD.BYTES);
  assembler.load('DW', R1, R0, SOCKET_RECORD.OWNER_SINCE);
  assembler.store('DW', base, offset + OWNER_PART.OWNER_SINCE, R1);
  assembler.load('W', R1, R0, SOCKET_RECORD.FLAGS);
  assembler.alu('AND', R1, SOCKET_FLAGS.LIKELY);
  assembler.load('W', R2, R10, LOOKUP_FRAME.BY_ADDRESS);
  assembler.aluRegister('OR', R1, R2);
  // 64 bits wide: nothing on the stack may be undefined.
  assembler.store('DW', base, offset + OWNER_PART.IS_LIKELY, R1);
}

/** The same where nobody is known. */
export function emitNobody(assembler: Assembler, base: Register, offset: number): void {
  for (let at = 0; at < OWNER_PART_BYTES; at += 8) {
    assembler.storeImmediate('DW', base, offset + at, 0);
  }
}

/** Reads a part; null when the owner is not known. */
export function readOwner(bytes: Uint8Array, offset: number): Owner | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, OWNER_PART_BYTES);
  const pid = view.getUint32(PROCESS_RECORD.PROCESS_ID, true);
  if (pid === 0) return null;
  return {
    pid,
    userId: view.getUint32(PROCESS_RECORD.USER_ID, true),
    name: readName(bytes, offset + PROCESS_RECORD.NAME),
    cgroupId: view.getBigUint64(PROCESS_RECORD.CGROUP_ID, true),
    sinceNs: Number(view.getBigUint64(OWNER_PART.OWNER_SINCE, true)),
    isLikely: view.getUint32(OWNER_PART.IS_LIKELY, true) !== 0,
  };
}

const NAME_BYTES = 16;

function readName(bytes: Uint8Array, offset: number): string {
  const name = bytes.subarray(offset, offset + NAME_BYTES);
  const end = name.indexOf(0);
  return Buffer.from(end < 0 ? name : name.subarray(0, end)).toString('utf8');
}

/** Fills in what filters ask about the process; without a part it is unknown. */
export function fillProcess(input: MatchInput, bytes: Uint8Array | null, offset: number): void {
  input.hasProcess = false;
  if (bytes === null) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, OWNER_PART_BYTES);
  input.processId = view.getUint32(PROCESS_RECORD.PROCESS_ID, true);
  input.hasProcess = input.processId !== 0;
  input.userId = view.getUint32(PROCESS_RECORD.USER_ID, true);
  input.processName0 = view.getUint32(PROCESS_RECORD.NAME, true);
  input.processName1 = view.getUint32(PROCESS_RECORD.NAME + 4, true);
  input.processName2 = view.getUint32(PROCESS_RECORD.NAME + 8, true);
  input.processName3 = view.getUint32(PROCESS_RECORD.NAME + 12, true);
}
