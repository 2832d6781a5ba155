/**
 * What the kernel means when it does not take a packet.
 *
 * @module
 */
import { type DivertErrorCode, SystemError, UnsupportedError } from '../../errors.ts';
import { ERRNO } from '../sys/constants.ts';
import { errnoText } from '../sys/libc.ts';

interface Meaning {
  readonly code: DivertErrorCode;
  readonly reason: string;
  readonly hint: string;
}

const NO_ROUTE: Meaning = {
  code: 'system',
  reason: 'there is no route to its destination',
  hint: 'Change the destination, or add a route (`ip route get ADDRESS` asks for one).',
};

const MEANINGS: ReadonlyMap<number, Meaning> = new Map([
  [
    ERRNO.EMSGSIZE,
    {
      code: 'insufficient-buffer',
      reason: 'it is larger than the MTU of the device it leaves by',
      hint: 'Clear ip.dontFragment so that it can be cut into fragments, or send it in smaller pieces.',
    },
  ],
  [ERRNO.ENETUNREACH, NO_ROUTE],
  [ERRNO.EHOSTUNREACH, NO_ROUTE],
  [
    ERRNO.EADDRNOTAVAIL,
    { code: 'system', reason: 'its source does not fit the route', hint: 'Change the source.' },
  ],
  [
    ERRNO.ENETDOWN,
    { code: 'system', reason: 'the device is down', hint: 'Bring it up: `ip link set NAME up`.' },
  ],
  [
    ERRNO.EPERM,
    {
      code: 'access-denied',
      reason: 'a firewall rule or another handle dropped it',
      hint: 'Look at the output chains of `nft list ruleset`.',
    },
  ],
  [
    ERRNO.EACCES,
    {
      code: 'access-denied',
      reason: 'the route forbids it (prohibit)',
      hint: 'Look at `ip route` and `ip rule`.',
    },
  ],
  [
    ERRNO.EINVAL,
    {
      code: 'invalid-parameter',
      reason: 'its header or destination is not valid, or the route is a blackhole',
      hint: 'Check the header length; a link-local destination needs address.interfaceIndex.',
    },
  ],
  [
    ERRNO.ENXIO,
    {
      code: 'invalid-parameter',
      reason: 'there is no such interface',
      hint: 'Set address.interfaceIndex to one of `ip link`.',
    },
  ],
  [
    ERRNO.EAGAIN,
    {
      code: 'system',
      reason: 'packets sent before still wait to leave',
      hint: 'Send it again later, or send less at a time.',
    },
  ],
  [
    ERRNO.ENOBUFS,
    {
      code: 'system',
      reason: 'the queue of the device is full',
      hint: 'Send it again later, or send less at a time.',
    },
  ],
]);

/**
 * The error for a packet that could not be put in.
 *
 * @param syscall that refused it
 * @param lengthBytes of the packet
 */
export function refusal(syscall: string, errno: number, lengthBytes: number): SystemError {
  const meaning = MEANINGS.get(errno);
  const reason = meaning ? `${meaning.reason} (${errnoText(errno)})` : errnoText(errno);
  return new SystemError(
    syscall,
    errno,
    `A packet of ${lengthBytes} bytes cannot be put in: ${reason}.`,
    { code: meaning?.code ?? 'system', hint: meaning?.hint },
  );
}

/** The error for a capability that putting packets in needs besides those of a handle. */
export function needsCapability(name: string, cause: unknown): UnsupportedError {
  return new UnsupportedError(name, `Putting new packets in needs ${name}.`, {
    code: 'access-denied',
    cause,
    hint: `Run as root, or give the process ${name} too (systemd: AmbientCapabilities=).`,
  });
}
