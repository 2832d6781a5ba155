/**
 * What each system call can plausibly fail with (its manual page, and what the kernel's code for the
 * object at hand returns).
 *
 * @module
 */

/** errno values that this package itself has no name for besides those it has (asm-generic/errno*.h). */
export const FAULT_ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  ESRCH: 3,
  EINTR: 4,
  EIO: 5,
  ENXIO: 6,
  E2BIG: 7,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  ENODEV: 19,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOSPC: 28,
  ENOSYS: 38,
  EMSGSIZE: 90,
  ENOPROTOOPT: 92,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
} as const;

export type FaultName = keyof typeof FAULT_ERRNO;

/** By call; `bpf(COMMAND)` falls back to `bpf`, `open(path)` to `open`. */
const PLAUSIBLE: Readonly<Record<string, readonly FaultName[]>> = {
  socket: ['EMFILE', 'ENFILE', 'ENOBUFS', 'EPERM', 'EACCES', 'EAFNOSUPPORT', 'EPROTONOSUPPORT'],
  bind: ['EADDRINUSE', 'ENOMEM', 'EPERM'],
  connect: ['ENOMEM', 'EPERM', 'EINTR'],
  getsockname: ['ENOBUFS'],
  setsockopt: ['EPERM', 'ENOPROTOOPT', 'ENOMEM', 'EINVAL'],
  getsockopt: ['ENOPROTOOPT', 'ENOMEM'],
  send: ['ENOBUFS', 'EINTR', 'EAGAIN', 'ENOMEM', 'EPERM'],
  sendto: ['ENOBUFS', 'EINTR', 'EAGAIN', 'EPERM', 'EMSGSIZE', 'ENETUNREACH', 'EINVAL'],
  sendmsg: ['ENOBUFS', 'EINTR', 'EAGAIN', 'ENOMEM', 'EPERM'],
  // Only netlink sockets are read like this: an answer is there when the request returns.
  recv: ['ENOBUFS', 'EINTR', 'ENOMEM'],
  recvmmsg: ['ENOBUFS', 'EINTR', 'EAGAIN', 'ENOMEM'],
  poll: ['EINTR', 'ENOMEM'],
  close: ['EINTR', 'EIO'],
  ioctl: ['EPERM', 'ENODEV', 'ENXIO', 'EBUSY', 'ENOMEM', 'EINTR'],
  mmap: ['ENOMEM', 'EPERM', 'EAGAIN'],
  munmap: ['ENOMEM', 'EINVAL'],
  setns: ['EPERM', 'EINVAL', 'ENOMEM'],
  setrlimit: ['EPERM'],
  getxattr: ['ENOENT', 'EACCES', 'ENOMEM'],
  pidfd_open: ['EMFILE', 'ESRCH', 'ENOSYS', 'ENOMEM'],
  pidfd_getfd: ['EMFILE', 'EBADF', 'EPERM', 'ENOSYS'],
  fsopen: ['EPERM', 'ENODEV', 'EMFILE', 'ENOSYS'],
  mountCall: ['EPERM', 'ENOMEM', 'EBUSY', 'ENOSYS'],
  bpf: ['EPERM', 'ENOMEM', 'EINVAL', 'EMFILE'],
  'bpf(BPF_PROG_LOAD)': ['EPERM', 'ENOMEM', 'EAGAIN', 'EMFILE', 'E2BIG', 'EINVAL', 'EACCES'],
  'bpf(BPF_MAP_CREATE)': ['EPERM', 'ENOMEM', 'EMFILE', 'E2BIG', 'EINVAL'],
  // No EPERM: only maps that are made closed to system calls have it, none of this package's.
  'bpf(BPF_MAP_LOOKUP_ELEM)': ['ENOMEM'],
  'bpf(BPF_MAP_UPDATE_ELEM)': ['ENOMEM', 'E2BIG', 'EBUSY', 'EPERM', 'ENOSPC'],
  'bpf(BPF_MAP_DELETE_ELEM)': ['EBUSY', 'EPERM'],
  'bpf(BPF_MAP_UPDATE_BATCH)': ['ENOMEM', 'E2BIG', 'EINVAL', 'EBUSY'],
  'bpf(BPF_MAP_LOOKUP_BATCH)': ['ENOMEM', 'ENOSPC', 'EINVAL'],
  'bpf(BPF_LINK_CREATE)': ['EPERM', 'ENOMEM', 'EMFILE', 'EBUSY', 'E2BIG', 'EINVAL', 'EOPNOTSUPP'],
  'bpf(BPF_LINK_UPDATE)': ['EPERM', 'ENOMEM', 'EINVAL'],
  // No EPERM: the program is open, and running it asks for nothing that loading it did not.
  'bpf(BPF_PROG_TEST_RUN)': ['ENOMEM', 'EINTR', 'EAGAIN'],
  'bpf(BPF_PROG_GET_NEXT_ID)': ['EPERM'],
  'bpf(BPF_MAP_GET_NEXT_ID)': ['EPERM'],
  'bpf(BPF_PROG_GET_FD_BY_ID)': ['EPERM', 'ENOENT', 'EMFILE', 'EAGAIN'],
  'bpf(BPF_MAP_GET_FD_BY_ID)': ['EPERM', 'ENOENT', 'EMFILE', 'EAGAIN'],
  'bpf(BPF_OBJ_GET_INFO_BY_FD)': ['EPERM', 'ENOMEM', 'EINVAL'],
  'bpf(BPF_PROG_QUERY)': ['EPERM', 'ENOMEM', 'EINVAL'],
  'bpf(BPF_BTF_LOAD)': ['EPERM', 'ENOMEM', 'EINVAL', 'EMFILE'],
  'bpf(BPF_RAW_TRACEPOINT_OPEN)': ['EPERM', 'ENOMEM', 'ENOENT', 'EMFILE'],
  openSync: ['EMFILE', 'ENFILE', 'EACCES', 'ENOMEM'],
  readFileSync: ['EMFILE', 'EACCES', 'ENOENT', 'EIO'],
  readSync: ['EIO', 'EINTR', 'ENOMEM'],
  readdirSync: ['EMFILE', 'ENOENT', 'EACCES'],
  readlinkSync: ['EACCES', 'ENOENT'],
  statSync: ['EACCES', 'ENOENT'],
  writeSync: ['EIO', 'EINTR', 'EAGAIN', 'ENOMEM'],
  writeFileSync: ['EACCES', 'EMFILE', 'EIO'],
};

/** What a call, named as the seam names it, can fail with. */
export function plausibleErrnos(call: string): readonly FaultName[] {
  const exact = PLAUSIBLE[call] ?? PLAUSIBLE[call.replace(/\(.*/, '')];
  if (!exact) throw new Error(`no errno is known for ${call}`);
  return exact;
}
