/**
 * Packets on their way out, by raw sockets: they take the way of the host's own packets from
 * LOCAL_OUT on, to this host too (raw(7), ipv6(7)).
 *
 * @module
 */
import { SystemError } from '../../errors.ts';
import { ERRNO, MSG, OPTION, SOCKET } from '../sys/constants.ts';
import { check, lastErrno, libc } from '../sys/libc.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { withNamespace } from '../sys/namespace.ts';
import { needsCapability } from './refusal.ts';

const IPPROTO_RAW = 255;
/** Packets that wait in a queue of netfilter are charged to their socket. */
const SEND_BUFFER_BYTES = 64 << 20;
/** struct sockaddr_in, struct sockaddr_in6 */
const SOCKADDR_IN = { ADDRESS: 4, BYTES: 16 } as const;
const SOCKADDR_IN6 = { ADDRESS: 8, SCOPE_ID: 24, BYTES: 28 } as const;
const IPV4_DESTINATION = 16;
const IPV6_DESTINATION = 24;

export class RawSocket {
  readonly #fd: number;
  readonly #isIPv6: boolean;
  readonly #to: Memory;

  /**
   * @param version 4 or 6
   * @param mark of its packets
   * @throws {@link UnsupportedError} without CAP_NET_RAW or CAP_NET_ADMIN
   */
  constructor(version: 4 | 6, mark: number, namespace: string | undefined) {
    this.#isIPv6 = version === 6;
    const family = this.#isIPv6 ? SOCKET.AF_INET6 : SOCKET.AF_INET;
    this.#to = allocate(this.#isIPv6 ? SOCKADDR_IN6.BYTES : SOCKADDR_IN.BYTES);
    this.#to.view.setUint16(0, family, true);
    this.#fd = withNamespace(namespace, () => openSocket(family));
    try {
      const { SOL_SOCKET, SO_MARK, SO_BROADCAST, SO_SNDBUFFORCE } = OPTION;
      setOption(this.#fd, SOL_SOCKET, SO_MARK, mark);
      setOption(this.#fd, SOL_SOCKET, SO_BROADCAST, 1);
      setOption(this.#fd, SOL_SOCKET, SO_SNDBUFFORCE, SEND_BUFFER_BYTES);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /**
   * @param bytes a whole packet
   * @param interfaceIndex where a link-local destination is
   * @returns the errno when the kernel does not take it, else 0
   */
  send(bytes: Uint8Array, interfaceIndex: number): number {
    const { bytes: to, view } = this.#to;
    if (this.#isIPv6) {
      for (let index = 0; index < 16; index++) {
        to[SOCKADDR_IN6.ADDRESS + index] = bytes[IPV6_DESTINATION + index] ?? 0;
      }
      const isScoped = isLinkLocal(bytes, IPV6_DESTINATION);
      view.setUint32(SOCKADDR_IN6.SCOPE_ID, isScoped ? interfaceIndex : 0, true);
    } else {
      for (let index = 0; index < 4; index++) {
        to[SOCKADDR_IN.ADDRESS + index] = bytes[IPV4_DESTINATION + index] ?? 0;
      }
    }
    const length = this.#isIPv6 ? SOCKADDR_IN6.BYTES : SOCKADDR_IN.BYTES;
    const sent = libc.sendto(this.#fd, bytes, bytes.length, MSG.MSG_DONTWAIT, to, length);
    return sent < 0 ? lastErrno() : 0;
  }

  close(): void {
    libc.close(this.#fd);
  }
}

function openSocket(family: number): number {
  const fd = libc.socket(family, SOCKET.SOCK_RAW | SOCKET.SOCK_CLOEXEC, IPPROTO_RAW);
  if (fd >= 0) return fd;
  const errno = lastErrno();
  const error = new SystemError('socket', errno, 'Cannot open a raw socket.');
  throw errno === ERRNO.EPERM ? needsCapability('CAP_NET_RAW', error) : error;
}

function setOption(fd: number, level: number, name: number, value: number): void {
  const option = allocate(4);
  option.view.setUint32(0, value, true);
  const result = libc.setsockopt(fd, level, name, option.bytes, 4);
  check(result, 'setsockopt', 'set an option of a raw socket');
}

/** fe80::/10 and multicast of interface or link scope (ff01::, ff02::). */
function isLinkLocal(bytes: Uint8Array, offset: number): boolean {
  const first = bytes[offset] ?? 0;
  const second = bytes[offset + 1] ?? 0;
  if (first === 0xfe) return (second & 0xc0) === 0x80;
  return first === 0xff && (second & 15) <= 2;
}
