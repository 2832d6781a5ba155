/**
 * Linux numbers of the calls in `libc.ts`, spelled as in the headers that define them.
 *
 * @module
 */

/** errno values (asm-generic/errno*.h). */
export const ERRNO = {
  EPERM: 1,
  ENOENT: 2,
  EINTR: 4,
  ENXIO: 6,
  EBADF: 9,
  EAGAIN: 11,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  ENODEV: 19,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ENOSPC: 28,
  E2BIG: 7,
  EPROTO: 71,
  EMSGSIZE: 90,
  EPROTONOSUPPORT: 93,
  EOPNOTSUPP: 95,
  EAFNOSUPPORT: 97,
  EADDRINUSE: 98,
  EADDRNOTAVAIL: 99,
  ENETDOWN: 100,
  ENETUNREACH: 101,
  ENOBUFS: 105,
  EHOSTUNREACH: 113,
} as const;

/** Address families and socket types (bits/socket.h). */
export const SOCKET = {
  AF_INET: 2,
  AF_INET6: 10,
  AF_NETLINK: 16,
  SOCK_STREAM: 1,
  SOCK_DGRAM: 2,
  SOCK_RAW: 3,
  SOCK_NONBLOCK: 0o4000,
  SOCK_CLOEXEC: 0o2000000,
} as const;

/** Socket options (asm-generic/socket.h, linux/netlink.h). */
export const OPTION = {
  SOL_SOCKET: 1,
  SO_BROADCAST: 6,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_RCVTIMEO: 20,
  SO_ACCEPTCONN: 30,
  SO_SNDBUFFORCE: 32,
  SO_RCVBUFFORCE: 33,
  SO_MARK: 36,
  SO_PROTOCOL: 38,
  SO_DOMAIN: 39,
  SO_COOKIE: 57,
  SO_BINDTOIFINDEX: 62,
  SO_NETNS_COOKIE: 71,
  SOL_IP: 0,
  IP_HDRINCL: 3,
  SOL_NETLINK: 270,
  NETLINK_ADD_MEMBERSHIP: 1,
  NETLINK_NO_ENOBUFS: 5,
  NETLINK_CAP_ACK: 10,
  NETLINK_EXT_ACK: 11,
} as const;

/** Message flags (bits/socket.h). */
export const MSG = {
  MSG_TRUNC: 0x20,
  MSG_DONTWAIT: 0x40,
  MSG_NOSIGNAL: 0x4000,
} as const;

/** Protocol numbers of netlink (linux/netlink.h). */
export const NETLINK = {
  NETLINK_ROUTE: 0,
  NETLINK_SOCK_DIAG: 4,
  NETLINK_NETFILTER: 12,
} as const;

/** How pthread_sigmask(3) changes the mask, and the size of one (bits/sigaction.h, sigset_t). */
export const SIGNAL_MASK = { SIG_BLOCK: 0, SIG_SETMASK: 2, BYTES: 128 } as const;

/** lo is interface 1 in every network namespace (net/net_namespace.h). */
export const LOOPBACK_IFINDEX = 1;

/** Namespace type of setns(2) (linux/sched.h). */
export const CLONE_NEWNET = 0x40000000;

/** Number of bpf(2) by `process.arch`: x86 has its own table of calls, the others asm-generic/unistd.h. */
const NR_BPF_OF: Readonly<Record<string, number>> = {
  x64: 321,
  arm64: 280,
  riscv64: 280,
  loong64: 280,
};

/** Number of bpf(2) on this machine; -1, which is ENOSYS, where it is not known. */
export const NR_BPF: number = NR_BPF_OF[process.arch] ?? -1;

/** Numbers of the calls on other processes' descriptors, the same on every architecture. */
export const PIDFD_CALL = { NR_PIDFD_OPEN: 434, NR_PIDFD_GETFD: 438 } as const;

/** Numbers of the new mount calls, the same on every architecture, and what they are told (linux/mount.h). */
export const MOUNT_CALL = {
  NR_FSOPEN: 430,
  NR_FSCONFIG: 431,
  NR_FSMOUNT: 432,
  FSOPEN_CLOEXEC: 1,
  FSCONFIG_CMD_CREATE: 6,
  FSMOUNT_CLOEXEC: 1,
} as const;

/** Requests of ioctl(2) on sockets and on /dev/net/tun (linux/sockios.h, linux/if_tun.h). */
export const IOCTL = {
  SIOCGIFNAME: 0x8910,
  SIOCGIFFLAGS: 0x8913,
  SIOCSIFFLAGS: 0x8914,
  SIOCGIFMTU: 0x8921,
  SIOCSIFMTU: 0x8922,
  SIOCGIFHWADDR: 0x8927,
  SIOCGIFINDEX: 0x8933,
  TUNSETIFF: 0x400454ca,
} as const;

/** Offsets in struct ifreq (linux/if.h): the name, then a union. */
export const IFREQ = { NAME: 0, VALUE: 16, HARDWARE_ADDRESS: 18, BYTES: 40 } as const;

/** Operations of prctl(2) (linux/prctl.h). */
export const PRCTL = {
  PR_SET_KEEPCAPS: 8,
  PR_CAPBSET_DROP: 24,
  PR_SET_NO_NEW_PRIVS: 38,
  PR_CAP_AMBIENT: 47,
  PR_CAP_AMBIENT_RAISE: 2,
} as const;

/** Operation of fcntl(2): the flags of a descriptor (linux/fcntl.h). */
export const F_SETFD = 2;

/** Capabilities (linux/capability.h). */
export const CAPABILITY = {
  CAP_CHOWN: 0,
  CAP_DAC_OVERRIDE: 1,
  CAP_DAC_READ_SEARCH: 2,
  CAP_FOWNER: 3,
  CAP_FSETID: 4,
  CAP_KILL: 5,
  CAP_SETGID: 6,
  CAP_SETUID: 7,
  CAP_SETPCAP: 8,
  CAP_LINUX_IMMUTABLE: 9,
  CAP_NET_BIND_SERVICE: 10,
  CAP_NET_BROADCAST: 11,
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_IPC_LOCK: 14,
  CAP_IPC_OWNER: 15,
  CAP_SYS_MODULE: 16,
  CAP_SYS_RAWIO: 17,
  CAP_SYS_CHROOT: 18,
  CAP_SYS_PTRACE: 19,
  CAP_SYS_PACCT: 20,
  CAP_SYS_ADMIN: 21,
  CAP_SYS_BOOT: 22,
  CAP_SYS_NICE: 23,
  CAP_SYS_RESOURCE: 24,
  CAP_SYS_TIME: 25,
  CAP_SYS_TTY_CONFIG: 26,
  CAP_MKNOD: 27,
  CAP_LEASE: 28,
  CAP_AUDIT_WRITE: 29,
  CAP_AUDIT_CONTROL: 30,
  CAP_SETFCAP: 31,
  CAP_MAC_OVERRIDE: 32,
  CAP_MAC_ADMIN: 33,
  CAP_SYSLOG: 34,
  CAP_WAKE_ALARM: 35,
  CAP_BLOCK_SUSPEND: 36,
  CAP_AUDIT_READ: 37,
  CAP_PERFMON: 38,
  CAP_BPF: 39,
  CAP_CHECKPOINT_RESTORE: 40,
} as const;

/** What capset(2) takes (struct __user_cap_header_struct, two of struct __user_cap_data_struct). */
export const CAPSET = {
  VERSION_3: 0x20080522,
  HEADER_BYTES: 8,
  EFFECTIVE: 0,
  PERMITTED: 4,
  INHERITABLE: 8,
  DATA_BYTES: 12,
} as const;
