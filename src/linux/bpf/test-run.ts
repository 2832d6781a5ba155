/**
 * Running a program on a packet without any traffic (`BPF_PROG_TEST_RUN`, Linux 4.12; with a context 5.2).
 *
 * @module
 */

import { ERRNO } from '../sys/constants.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { bpfError, callBpf } from './call.ts';
import { BPF_COMMAND } from './constants.ts';

/** Offsets in the `BPF_PROG_TEST_RUN` part of `union bpf_attr`. */
const ATTRIBUTE = {
  PROG_FD: 0,
  RETVAL: 4,
  DATA_SIZE_IN: 8,
  DATA_SIZE_OUT: 12,
  DATA_IN: 16,
  REPEAT: 32,
  DURATION: 36,
  CTX_SIZE_IN: 40,
  CTX_SIZE_OUT: 44,
  CTX_IN: 48,
} as const;
const ATTRIBUTE_BYTES = 80;

/** Offsets in `struct __sk_buff` of what a test run may set. */
const CONTEXT = {
  MARK: 8,
  INGRESS_IFINDEX: 36,
  IFINDEX: 40,
  CB: 48,
  GSO_SEGS: 164,
  GSO_SIZE: 176,
} as const;
const CONTEXT_BYTES = 192;

const ETHERNET_HEADER_BYTES = 14;
const ETHERNET_TYPE = 12;
/** `ETH_P_IP`, `ETH_P_IPV6`, and `ETH_P_802_EX1`, which the kernel looks no further into. */
const ETHERTYPE = { 4: 0x0800, 6: 0x86dd, other: 0x88b5 } as const;

/** What the packet's context says; absent keys are 0. */
export interface TestContext {
  readonly mark?: number;
  readonly ingressInterfaceIndex?: number;
  readonly gsoSize?: number;
  readonly gsoSegments?: number;
}

/** What a run returned. */
export interface TestResult {
  readonly result: number;
  /** Average time of one run. */
  readonly durationNs: number;
}

/**
 * Runs packet programs on packets that start with their IP header. Reuses its buffers: one packet at a time.
 *
 * The kernel takes an Ethernet frame, sets `protocol` from its type and takes its header off again for
 * programs that start at the IP header, so an empty packet is the shortest; the longest is one page less
 * the kernel's own room.
 */
export class TestRunner {
  readonly #attribute: Memory = allocate(ATTRIBUTE_BYTES);
  readonly #context: Memory = allocate(CONTEXT_BYTES);
  readonly #frame: Memory;

  /** @param maxPacketBytes of the longest packet to be run on */
  constructor(maxPacketBytes = 65_575) {
    this.#frame = allocate(ETHERNET_HEADER_BYTES + maxPacketBytes);
    const { view } = this.#attribute;
    view.setBigUint64(ATTRIBUTE.DATA_IN, this.#frame.address, true);
    view.setBigUint64(ATTRIBUTE.CTX_IN, this.#context.address, true);
    view.setUint32(ATTRIBUTE.CTX_SIZE_IN, CONTEXT_BYTES, true);
  }

  /**
   * @param fd of a loaded program
   * @param packet from the IP header on
   * @param version what the Ethernet header in front of it says, and so the program's `protocol`; with 4 or 6 the
   *   kernel refuses packets that are shorter than such an IP header
   * @param context what the program reads besides
   * @param repeat how many times, for the duration
   * @throws {@link SystemError} EINVAL when the packet is longer than this kernel takes
   */
  run(
    fd: number,
    packet: Uint8Array,
    version: 4 | 6 | 'other',
    context: TestContext = {},
    repeat = 1,
  ): TestResult {
    this.#frame.view.setUint16(ETHERNET_TYPE, ETHERTYPE[version]);
    this.#frame.bytes.set(packet, ETHERNET_HEADER_BYTES);
    this.#fillContext(context);
    const { view, bytes } = this.#attribute;
    view.setUint32(ATTRIBUTE.PROG_FD, fd, true);
    view.setUint32(ATTRIBUTE.DATA_SIZE_IN, ETHERNET_HEADER_BYTES + packet.length, true);
    view.setUint32(ATTRIBUTE.REPEAT, repeat, true);
    // The kernel writes the output's size here and takes it for a limit the next time.
    view.setUint32(ATTRIBUTE.DATA_SIZE_OUT, 0, true);
    view.setUint32(ATTRIBUTE.CTX_SIZE_OUT, 0, true);
    const errno = this.#call(bytes);
    if (errno !== 0) {
      throw bpfError('BPF_PROG_TEST_RUN', errno, `run a program on ${packet.length} bytes`);
    }
    return {
      result: view.getUint32(ATTRIBUTE.RETVAL, true),
      durationNs: view.getUint32(ATTRIBUTE.DURATION, true),
    };
  }

  #call(bytes: Uint8Array): number {
    let errno: number;
    do {
      errno = callBpf(BPF_COMMAND.BPF_PROG_TEST_RUN, bytes).errno;
    } while (errno === ERRNO.EINTR);
    return errno;
  }

  #fillContext(context: TestContext): void {
    const { view } = this.#context;
    view.setUint32(CONTEXT.MARK, context.mark ?? 0, true);
    view.setUint32(CONTEXT.INGRESS_IFINDEX, context.ingressInterfaceIndex ?? 0, true);
    view.setUint32(CONTEXT.GSO_SIZE, context.gsoSize ?? 0, true);
    view.setUint32(CONTEXT.GSO_SEGS, context.gsoSegments ?? 0, true);
  }
}
