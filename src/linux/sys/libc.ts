/**
 * The system calls this package makes, through koffi: the only place where a wrong
 * signature can hide. Buffers are passed by address; callers keep them alive.
 *
 * Calls return what libc returns (-1 on failure) so that hot paths can test the result
 * themselves; `check` and `lastErrno` turn a failure into an error.
 *
 * @module
 */
import { getSystemErrorMap } from 'node:util';
import koffi from 'koffi';
import { SystemError } from '../../errors.ts';
import { ERRNO, PIDFD_CALL } from './constants.ts';

/** Memory as libc takes it: a view (by address, `byteOffset` honoured) or a raw address. */
export type Pointer = Uint8Array | bigint | null;

/** What failed for a moment is tried so often. */
const MAX_TRIES = 100;

const process = koffi.load(null);

/** `syscall(2)` with numbers only. */
const threeArguments = process.func('syscall', 'long', ['long', 'long', 'long', 'long']) as (
  number: number,
  first: number,
  second: number,
  third: number,
) => number;

// `long` results come back as numbers: every length here is far below 2^53.
export const libc = {
  socket: process.func('socket', 'int', ['int', 'int', 'int']) as (
    domain: number,
    type: number,
    protocol: number,
  ) => number,
  bind: process.func('bind', 'int', ['int', 'void *', 'uint32_t']) as (
    fd: number,
    address: Pointer,
    length: number,
  ) => number,
  connect: process.func('connect', 'int', ['int', 'void *', 'uint32_t']) as (
    fd: number,
    address: Pointer,
    length: number,
  ) => number,
  getsockname: process.func('getsockname', 'int', ['int', 'void *', 'void *']) as (
    fd: number,
    address: Pointer,
    length: Pointer,
  ) => number,
  setsockopt: process.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint32_t']) as (
    fd: number,
    level: number,
    name: number,
    value: Pointer,
    length: number,
  ) => number,
  getsockopt: process.func('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']) as (
    fd: number,
    level: number,
    name: number,
    value: Pointer,
    length: Pointer,
  ) => number,
  send: process.func('send', 'long', ['int', 'void *', 'size_t', 'int']) as (
    fd: number,
    bytes: Pointer,
    length: number,
    flags: number,
  ) => number,
  sendto: process.func('sendto', 'long', [
    'int',
    'void *',
    'size_t',
    'int',
    'void *',
    'uint32_t',
  ]) as (
    fd: number,
    bytes: Pointer,
    length: number,
    flags: number,
    address: Pointer,
    addressLength: number,
  ) => number,
  sendmsg: process.func('sendmsg', 'long', ['int', 'void *', 'int']) as (
    fd: number,
    header: Pointer,
    flags: number,
  ) => number,
  recv: process.func('recv', 'long', ['int', 'void *', 'size_t', 'int']) as (
    fd: number,
    bytes: Pointer,
    length: number,
    flags: number,
  ) => number,
  recvmmsg: process.func('recvmmsg', 'int', ['int', 'void *', 'uint', 'int', 'void *']) as (
    fd: number,
    headers: Pointer,
    count: number,
    flags: number,
    timeout: Pointer,
  ) => number,
  poll: process.func('poll', 'int', ['void *', 'ulong', 'int']) as (
    fds: Pointer,
    count: number,
    timeoutMs: number,
  ) => number,
  close: process.func('close', 'int', ['int']) as (fd: number) => number,
  /** `ioctl(2)` with the fixed prototype of requests that take a structure. */
  ioctl: process.func('ioctl', 'int', ['int', 'ulong', 'void *']) as (
    fd: number,
    request: number,
    argument: Pointer,
  ) => number,
  /** An address, or all ones (MAP_FAILED). */
  mmap: process.func('mmap', 'void *', ['void *', 'size_t', 'int', 'int', 'int', 'int64_t']) as (
    address: Pointer,
    length: number,
    protection: number,
    flags: number,
    fd: number,
    offset: number,
  ) => bigint,
  munmap: process.func('munmap', 'int', ['void *', 'size_t']) as (
    address: Pointer,
    length: number,
  ) => number,
  getpagesize: process.func('getpagesize', 'int', []) as () => number,
  setns: process.func('setns', 'int', ['int', 'int']) as (fd: number, type: number) => number,
  setrlimit: process.func('setrlimit', 'int', ['int', 'void *']) as (
    resource: number,
    limit: Pointer,
  ) => number,
  pthread_sigmask: process.func('pthread_sigmask', 'int', ['int', 'void *', 'void *']) as (
    how: number,
    set: Pointer,
    oldSet: Pointer,
  ) => number,
  /** A descriptor of a process (Linux 5.3). */
  pidfd_open: (pid: number, flags: number): number =>
    threeArguments(PIDFD_CALL.NR_PIDFD_OPEN, pid, flags, 0),
  /** A copy of a process's descriptor (Linux 5.6), closed by exec. */
  pidfd_getfd: (pidFd: number, fd: number, flags: number): number =>
    threeArguments(PIDFD_CALL.NR_PIDFD_GETFD, pidFd, fd, flags),
  /** `syscall(2)` for fsconfig(2) and fsmount(2): number and five arguments. */
  mountCall: process.func('syscall', 'long', [
    'long',
    'long',
    'long',
    'void *',
    'void *',
    'long',
  ]) as (
    number: number,
    first: number,
    second: number,
    third: Pointer,
    fourth: Pointer,
    fifth: number,
  ) => number,
  /** `syscall(2)` for fsopen(2): number, name, flags. */
  fsopen: process.func('syscall', 'long', ['long', 'void *', 'long']) as (
    number: number,
    name: Pointer,
    flags: number,
  ) => number,
  getxattr: process.func('getxattr', 'long', ['void *', 'void *', 'void *', 'size_t']) as (
    path: Pointer,
    name: Pointer,
    value: Pointer,
    length: number,
  ) => number,
  prctl: process.func('prctl', 'int', ['int', 'ulong', 'ulong', 'ulong', 'ulong']) as (
    operation: number,
    first: number,
    second: number,
    third: number,
    fourth: number,
  ) => number,
  fcntl: process.func('fcntl', 'int', ['int', 'int', 'long']) as (
    fd: number,
    operation: number,
    argument: number,
  ) => number,
  capset: process.func('capset', 'int', ['void *', 'void *']) as (
    header: Pointer,
    data: Pointer,
  ) => number,
  /** Comes back only when it fails. */
  execve: process.func('execve', 'int', ['void *', 'void *', 'void *']) as (
    path: Pointer,
    argumentVector: Pointer,
    environment: Pointer,
  ) => number,
  /** `syscall(2)` with the fixed prototype of bpf(2): number, command, attribute, size. */
  bpf: process.func('syscall', 'long', ['long', 'long', 'void *', 'long']) as (
    number: number,
    command: number,
    attribute: Pointer,
    size: number,
  ) => number,
} as const;

/** errno of the last failed call. Read it in the very next statement: anything else overwrites it. */
export function lastErrno(): number {
  return koffi.errno();
}

/** `EPERM: operation not permitted`, as Node words its own system errors. */
export function errnoText(errno: number): string {
  const entry = getSystemErrorMap().get(-errno);
  return entry ? `${entry[0]}: ${entry[1]}` : `errno ${errno}`;
}

/** A signal came in, or the kernel had no memory for a moment: the same call may do now. */
export function isTransient(errno: number): boolean {
  const { EAGAIN, EINTR, ENOBUFS, ENOMEM } = ERRNO;
  return errno === EAGAIN || errno === EINTR || errno === ENOBUFS || errno === ENOMEM;
}

/**
 * Makes a call until its failure is no transient one, a hundred times at most.
 *
 * @returns what the last one returned; errno is that of the last one
 */
export function retryTransient(call: () => number): number {
  let result = call();
  for (let tries = 1; result < 0 && tries < MAX_TRIES && isTransient(koffi.errno()); tries++) {
    result = call();
  }
  return result;
}

/**
 * Passes a result through, or throws what errno says.
 *
 * @param result what a call of `libc` returned
 * @param syscall name of the call, for the error
 * @param operation what was being done, for the message, e.g. "open a netlink socket"
 * @throws {@link SystemError} when the result is negative
 */
export function check(result: number, syscall: string, operation: string): number {
  if (result >= 0) return result;
  const errno = lastErrno();
  throw new SystemError(syscall, errno, `Cannot ${operation}: ${errnoText(errno)}`);
}
