/**
 * Packets on their way in, as if a device had received them: a program that is run once for each
 * (`BPF_PROG_TEST_RUN`) hands a copy to the device. Nothing of it stays in the kernel.
 *
 * @module
 */
import { Assembler } from '../../bpf/assembler.ts';
import { R1, R2, R3, R6 } from '../../bpf/instruction.ts';
import { bpfError, callBpf } from '../bpf/call.ts';
import { BPF_COMMAND, BPF_PROG_TYPE } from '../bpf/constants.ts';
import { loadProgram, type Program } from '../bpf/program.ts';
import { ERRNO } from '../sys/constants.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import type { Frame } from './frame.ts';
import { refusal } from './refusal.ts';

/** A page less the kernel's own room (NET_SKB_PAD and struct skb_shared_info). */
export const LONGEST_FRAME_BYTES = 3712;

/** Offsets in the `BPF_PROG_TEST_RUN` part of `union bpf_attr`. */
const ATTRIBUTE = {
  PROG_FD: 0,
  RETVAL: 4,
  DATA_SIZE_IN: 8,
  DATA_SIZE_OUT: 12,
  DATA_IN: 16,
  REPEAT: 32,
  CTX_SIZE_IN: 40,
  CTX_SIZE_OUT: 44,
  CTX_IN: 48,
  BYTES: 80,
} as const;
/** Offsets in `struct __sk_buff`; what is behind them need not be given. */
const CONTEXT = { MARK: 8, CB: 48, BYTES: 68 } as const;
const BPF_F_INGRESS = 1;

export class Ingress {
  readonly #program: Program;
  readonly #attribute: Memory = allocate(ATTRIBUTE.BYTES);
  readonly #context: Memory = allocate(CONTEXT.BYTES);

  /**
   * @param name of the program, for listings
   * @param mark of the packets
   */
  constructor(name: string, mark: number, frame: Frame) {
    const assembler = new Assembler();
    assembler.move(R6, R1);
    assembler.load('W', R2, R6, CONTEXT.CB);
    assembler.moveImmediate(R3, BPF_F_INGRESS);
    assembler.call('clone_redirect');
    assembler.exit();
    this.#program = loadProgram(assembler.assemble().instructions, {
      name,
      type: BPF_PROG_TYPE.SCHED_CLS,
    });
    const { view } = this.#attribute;
    view.setUint32(ATTRIBUTE.PROG_FD, this.#program.fd, true);
    view.setBigUint64(ATTRIBUTE.DATA_IN, frame.memory.address, true);
    view.setUint32(ATTRIBUTE.REPEAT, 1, true);
    view.setUint32(ATTRIBUTE.CTX_SIZE_IN, CONTEXT.BYTES, true);
    view.setBigUint64(ATTRIBUTE.CTX_IN, this.#context.address, true);
    this.#context.view.setUint32(CONTEXT.MARK, mark, true);
  }

  /**
   * Hands the frame to a device of the namespace the thread is in.
   *
   * @throws {@link SystemError} when the device does not take it
   */
  send(frame: Frame, interfaceIndex: number): void {
    const { view, bytes } = this.#attribute;
    this.#context.view.setUint32(CONTEXT.CB, interfaceIndex, true);
    view.setUint32(ATTRIBUTE.DATA_SIZE_IN, frame.length, true);
    view.setUint32(ATTRIBUTE.DATA_SIZE_OUT, 0, true);
    view.setUint32(ATTRIBUTE.CTX_SIZE_OUT, 0, true);
    let errno: number;
    do {
      errno = callBpf(BPF_COMMAND.BPF_PROG_TEST_RUN, bytes).errno;
    } while (errno === ERRNO.EINTR);
    if (errno !== 0) throw bpfError('BPF_PROG_TEST_RUN', errno, 'put a packet in');
    const result = view.getInt32(ATTRIBUTE.RETVAL, true);
    if (result === 0) return;
    // clone_redirect: a negative errno, or NET_RX_DROP when the device is down or its queue full.
    throw refusal('bpf_clone_redirect', result < 0 ? ERRNO.ENXIO : ERRNO.ENETDOWN, frame.length);
  }

  close(): void {
    this.#program.close();
  }
}
