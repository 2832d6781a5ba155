/**
 * The program of a reflect handle: others run it when they open or close a handle, in their own process.
 * It evaluates the reflect handle's filter and puts the record into its ring.
 *
 * @module
 */
import { Assembler, type Label } from '../../bpf/assembler.ts';
import { type Instruction, R0, R1, R2, R3, R6, R7, R8, R9 } from '../../bpf/instruction.ts';
import { SystemError, UnsupportedError, VerifierError } from '../../errors.ts';
import { emitEventFilter } from '../../filter/emit-event-bpf.ts';
import type { Filter } from '../../filter/index.ts';
import { EVENT_RECORD, REFLECT_EVENT } from '../../packet/event-layout.ts';
import { bpfError } from '../bpf/call.ts';
import { emitCount } from '../bpf/emit-count.ts';
import { readProgramInfo } from '../bpf/object-ids.ts';
import type { Program } from '../bpf/program.ts';
import { loadSyscallProgram, runSyscallProgram } from '../bpf/syscall-program.ts';
import { EVENT_COUNTER } from '../events/counter.ts';
import { ERRNO } from '../sys/constants.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { type HandleRecord, MAX_RECORD_BYTES } from './handle-record.ts';

/** Offsets in the program's context: the head of the record, then where all of it is. */
const CONTEXT = {
  /** u64, address of the record in the calling process. */
  ADDRESS: REFLECT_EVENT.STRINGS,
  /** u32, its length. */
  LENGTH: REFLECT_EVENT.STRINGS + 8,
  /** u32, {@link MODE}. */
  MODE: REFLECT_EVENT.STRINGS + 12,
  BYTES: REFLECT_EVENT.STRINGS + 16,
} as const;

const MODE = { PUBLISH: 0, JUDGE: 1 } as const;

/**
 * Bit at `EVENT_RECORD.NOTES`: the filter does not match. The record is there all the same, so that the
 * reflect handle knows whose handles there are.
 */
const NOTE_UNMATCHED = 0x80;

/** Room for the record that is reserved: programs reserve constant sizes only. */
const ROOMS = [256, 512, 1024, 2048, 4096, 8192, 16_384, MAX_RECORD_BYTES] as const;

/** Where the program writes to. */
export interface PublishTarget {
  /** Written into the records, to tell which filter decided. */
  readonly generation: number;
  /** A ring buffer. */
  readonly ringFd: number;
  /** Counters as in {@link EVENT_COUNTER}. */
  readonly countersFd: number;
}

/** A loaded program. */
export interface PublishProgram extends Disposable {
  readonly fd: number;
  /** Names it on this machine. */
  readonly id: number;
  /** It lets nothing through but what the filter matches. */
  readonly exact: boolean;
  close(): void;
}

/**
 * Loads the program of a reflect handle.
 *
 * @param name for listings, at most 15 letters
 * @throws {@link UnsupportedError} before Linux 5.14, or without the capability
 */
export function loadPublishProgram(
  filter: Filter,
  target: PublishTarget,
  name: string,
): PublishProgram {
  const { instructions, exact } = emitPublish(filter, target);
  const program = load(instructions, name);
  try {
    return { ...program, id: readProgramInfo(program.fd).id, exact };
  } catch (error) {
    program.close();
    throw error;
  }
}

function load(instructions: readonly Instruction[], name: string): Program {
  try {
    return loadSyscallProgram(instructions, name);
  } catch (cause) {
    const isRefused = cause instanceof SystemError && !(cause instanceof VerifierError);
    if (!isRefused || cause.errno !== ERRNO.EINVAL) throw cause;
    throw new UnsupportedError('BPF_PROG_TYPE_SYSCALL', 'This kernel has no reflect layer.', {
      cause,
      since: '5.14',
      hint: 'It needs Linux 5.14 or newer.',
    });
  }
}

function emitPublish(
  filter: Filter,
  target: PublishTarget,
): { readonly instructions: readonly Instruction[]; readonly exact: boolean } {
  const assembler = new Assembler();
  const accept = assembler.newLabel('match');
  const reject = assembler.newLabel('no_match');
  const output = assembler.newLabel('output');
  const judged = assembler.newLabel('judged');
  assembler.move(R6, R1);
  const exits = { record: R6, accept, reject };
  const { exact } = emitEventFilter(assembler, filter.tests, 'reflect', exits);
  assembler.label(accept);
  emitCount(assembler, target.countersFd, EVENT_COUNTER.MATCHED);
  assembler.moveImmediate(R8, 0);
  assembler.moveImmediate(R0, 1);
  assembler.jump(judged);
  assembler.label(reject);
  assembler.moveImmediate(R8, NOTE_UNMATCHED);
  assembler.moveImmediate(R0, 0);
  assembler.label(judged);
  assembler.load('W', R1, R6, CONTEXT.MODE);
  assembler.jumpIf('JEQ', R1, MODE.PUBLISH, output);
  assembler.exit();
  assembler.label(output);
  emitOutput(assembler, target);
  return { ...assembler.assemble(), exact };
}

/** Puts the record into the ring, with r8 as its notes. */
function emitOutput(assembler: Assembler, target: PublishTarget): void {
  const full = assembler.newLabel('full');
  const done = assembler.newLabel('done');
  assembler.load('W', R7, R6, CONTEXT.LENGTH);
  assembler.jumpIf64('JLT', R7, REFLECT_EVENT.STRINGS, done);
  for (const bytes of ROOMS) {
    const larger = assembler.newLabel();
    assembler.jumpIf64('JGT', R7, bytes, larger);
    emitCopy(assembler, target, bytes, { full, done });
    assembler.label(larger);
  }
  assembler.jump(done);
  assembler.label(full);
  assembler.jumpIf('JNE', R8, 0, done);
  emitCount(assembler, target.countersFd, EVENT_COUNTER.RING_FULL);
  assembler.label(done);
  assembler.moveImmediate(R0, 0);
  assembler.exit();
}

function emitCopy(
  assembler: Assembler,
  target: PublishTarget,
  bytes: number,
  exits: { readonly full: Label; readonly done: Label },
): void {
  const unreadable = assembler.newLabel();
  assembler.loadMap(R1, target.ringFd);
  assembler.moveImmediate(R2, bytes);
  assembler.moveImmediate(R3, 0);
  assembler.call('ringbuf_reserve');
  assembler.jumpIf64('JEQ', R0, 0, exits.full);
  assembler.move(R9, R0);
  assembler.move(R1, R9);
  assembler.move(R2, R7);
  assembler.load('DW', R3, R6, CONTEXT.ADDRESS);
  assembler.call('copy_from_user');
  assembler.jumpIf64('JNE', R0, 0, unreadable);
  assembler.store('B', R9, EVENT_RECORD.NOTES, R8);
  assembler.storeImmediate('W', R9, EVENT_RECORD.GENERATION, target.generation);
  assembler.move(R1, R9);
  assembler.moveImmediate(R2, 0);
  assembler.call('ringbuf_submit');
  assembler.jump(exits.done);
  assembler.label(unreadable);
  assembler.move(R1, R9);
  assembler.moveImmediate(R2, 0);
  assembler.call('ringbuf_discard');
  assembler.jump(exits.done);
}

const context: Memory = allocate(CONTEXT.BYTES);

/**
 * Runs a reflect handle's program on what happened to a handle of this process. That it fails is no
 * reason not to open or close the handle.
 *
 * @param fd of the program
 * @returns whether it ran
 */
export function publishRecord(fd: number, { memory, lengthBytes }: HandleRecord): boolean {
  setContext(memory.bytes, MODE.PUBLISH);
  context.view.setBigUint64(CONTEXT.ADDRESS, memory.address, true);
  context.view.setUint32(CONTEXT.LENGTH, lengthBytes, true);
  return runSyscallProgram(fd, context, CONTEXT.BYTES).errno === 0;
}

/**
 * Whether a program lets a record through; counted like any other.
 *
 * @throws {@link SystemError} when it could not be run
 */
export function judgeRecord(fd: number, record: Uint8Array): boolean {
  setContext(record, MODE.JUDGE);
  const { result, errno } = runSyscallProgram(fd, context, CONTEXT.BYTES);
  if (errno !== 0) throw bpfError('BPF_PROG_TEST_RUN', errno, 'run the filter of a reflect handle');
  return result === 1;
}

/** Whether the program let a record through that came by the ring. */
export function isMatched(record: DataView): boolean {
  return (record.getUint8(EVENT_RECORD.NOTES) & NOTE_UNMATCHED) === 0;
}

function setContext(record: Uint8Array, mode: number): void {
  context.bytes.set(record.subarray(0, REFLECT_EVENT.STRINGS));
  context.view.setUint32(CONTEXT.MODE, mode, true);
}
