/**
 * Links: programs hooked in for as long as a descriptor is open (`BPF_LINK_CREATE`, Linux 5.7).
 *
 * @module
 */
import { UnsupportedError } from '../../errors.ts';
import { ERRNO } from '../sys/constants.ts';
import { libc } from '../sys/libc.ts';
import { allocate, cString } from '../sys/memory.ts';
import { type BpfResult, bpfError, callBpfPatiently } from './call.ts';
import { BPF_COMMAND } from './constants.ts';
import type { Program } from './program.ts';

/** Offsets in the `BPF_LINK_CREATE` part of `union bpf_attr`. */
const CREATE = {
  PROG_FD: 0,
  TARGET_FD: 4,
  ATTACH_TYPE: 8,
  FLAGS: 12,
  RELATIVE_FD: 16,
  BYTES: 32,
} as const;
/** Without the place among others: what kernels before 6.17 know. */
const CREATE_BYTES_WITHOUT_PLACE = 16;

/** Offsets in the `BPF_LINK_UPDATE` part. */
const UPDATE = { LINK_FD: 0, NEW_PROG_FD: 4, BYTES: 16 } as const;

/** Offsets in the `BPF_RAW_TRACEPOINT_OPEN` part. */
const TRACEPOINT = { NAME: 0, PROG_FD: 8, BYTES: 16 } as const;

/** Flags of a place (`include/uapi/linux/bpf.h`). */
const PLACE_FLAG = { BPF_F_BEFORE: 1 << 3, BPF_F_LINK: 1 << 13, BPF_F_ID: 1 << 5 } as const;

/** A program that is hooked in. */
export interface Link extends Disposable {
  readonly fd: number;
  /** Hooks another program in at the same place, without a gap. */
  update(program: Program): void;
  /** Takes the program out. Idempotent. */
  close(): void;
}

/**
 * Hooks a program in at a control group or network namespace. Several may be hooked in at one place;
 * all of them run, in the order they were hooked in.
 *
 * @param targetFd of a cgroup2 directory, or of a network namespace for `SK_LOOKUP`
 * @param attachType `BPF_ATTACH_TYPE`
 * @param beforeLinkId id of a link to run in front of (Linux 6.17), 0: behind all others
 * @throws {@link UnsupportedError} when a capability or the kernel's support is missing
 */
export function createLink(
  program: Program,
  targetFd: number,
  attachType: number,
  beforeLinkId = 0,
): Link {
  const { view, bytes } = allocate(CREATE.BYTES);
  view.setUint32(CREATE.PROG_FD, program.fd, true);
  view.setUint32(CREATE.TARGET_FD, targetFd, true);
  view.setUint32(CREATE.ATTACH_TYPE, attachType, true);
  if (beforeLinkId !== 0) {
    const { BPF_F_BEFORE, BPF_F_LINK, BPF_F_ID } = PLACE_FLAG;
    view.setUint32(CREATE.FLAGS, BPF_F_BEFORE | BPF_F_LINK | BPF_F_ID, true);
    view.setUint32(CREATE.RELATIVE_FD, beforeLinkId, true);
  }
  const length = beforeLinkId === 0 ? CREATE_BYTES_WITHOUT_PLACE : CREATE.BYTES;
  return makeLink(
    callBpfPatiently(BPF_COMMAND.BPF_LINK_CREATE, bytes.subarray(0, length)),
    'BPF_LINK_CREATE',
    `hook program ${program.name} in`,
  );
}

/**
 * Hooks a program in at a raw tracepoint (Linux 4.17).
 *
 * @param name e.g. `sched_process_exec`
 */
export function attachRawTracepoint(program: Program, name: string): Link {
  const text = cString(name);
  const nameMemory = allocate(text.length);
  nameMemory.bytes.set(text);
  const { view, bytes } = allocate(TRACEPOINT.BYTES);
  view.setBigUint64(TRACEPOINT.NAME, nameMemory.address, true);
  view.setUint32(TRACEPOINT.PROG_FD, program.fd, true);
  return makeLink(
    callBpfPatiently(BPF_COMMAND.BPF_RAW_TRACEPOINT_OPEN, bytes),
    'BPF_RAW_TRACEPOINT_OPEN',
    `hook program ${program.name} in at tracepoint ${name}`,
  );
}

type LinkCommand = 'BPF_LINK_CREATE' | 'BPF_RAW_TRACEPOINT_OPEN';

function makeLink({ result, errno }: BpfResult, command: LinkCommand, operation: string): Link {
  if (errno === ERRNO.EINVAL && command === 'BPF_LINK_CREATE') {
    throw new UnsupportedError('BPF_LINK_CREATE', `Cannot ${operation}: EINVAL`, {
      hint: 'This needs Linux 5.15 or newer with CONFIG_CGROUP_BPF.',
    });
  }
  if (errno !== 0) throw bpfError(command, errno, operation);
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    libc.close(result);
  };
  const update = (program: Program): void => updateLink(result, program);
  return { fd: result, update, close, [Symbol.dispose]: close };
}

function updateLink(fd: number, program: Program): void {
  const { view, bytes } = allocate(UPDATE.BYTES);
  view.setUint32(UPDATE.LINK_FD, fd, true);
  view.setUint32(UPDATE.NEW_PROG_FD, program.fd, true);
  const { errno } = callBpfPatiently(BPF_COMMAND.BPF_LINK_UPDATE, bytes);
  if (errno !== 0) throw bpfError('BPF_LINK_UPDATE', errno, `swap in program ${program.name}`);
}

/**
 * Makes several links; when one cannot be made, closes those before it.
 *
 * @param make calls `keep` with each
 */
export function makeLinks(make: (keep: (link: Link) => void) => void): Link[] {
  const links: Link[] = [];
  try {
    make((link) => links.push(link));
    return links;
  } catch (error) {
    for (const link of links) link.close();
    throw error;
  }
}
