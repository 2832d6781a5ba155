/**
 * Numbers that name network namespaces: programs compare them.
 *
 * @module
 */
import { UnsupportedError } from '../errors.ts';
import { OPTION, SOCKET } from './sys/constants.ts';
import { check, libc } from './sys/libc.ts';
import { allocate } from './sys/memory.ts';
import { withNamespace } from './sys/namespace.ts';

const COOKIE_BYTES = 8;

/**
 * The cookie of a network namespace (SO_NETNS_COOKIE, Linux 5.14), the same as programs get from
 * `bpf_get_netns_cookie`.
 *
 * @param path as for {@link withNamespace}
 * @throws {@link UnsupportedError} on older kernels
 */
export function namespaceCookie(path: string | undefined): bigint {
  const { AF_INET, SOCK_DGRAM, SOCK_CLOEXEC } = SOCKET;
  const fd = withNamespace(path, () =>
    check(libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), 'socket', 'open a socket'),
  );
  try {
    return socketNumber(fd, OPTION.SO_NETNS_COOKIE);
  } catch (cause) {
    throw new UnsupportedError('SO_NETNS_COOKIE', 'This kernel has no namespace cookies.', {
      cause,
      hint: 'The flow and socket layers and attribution need Linux 5.15 or newer.',
    });
  } finally {
    libc.close(fd);
  }
}

/** A 64-bit option of a socket at level SOL_SOCKET. */
export function socketNumber(fd: number, option: number): bigint {
  const value = allocate(COOKIE_BYTES);
  const length = allocate(4);
  length.view.setUint32(0, COOKIE_BYTES, true);
  const result = libc.getsockopt(fd, OPTION.SOL_SOCKET, option, value.bytes, length.bytes);
  check(result, 'getsockopt', `read socket option ${option}`);
  return value.view.getBigUint64(0, true);
}
