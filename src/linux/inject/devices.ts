/**
 * Network devices of a namespace: their hardware addresses, and where packets come from.
 *
 * @module
 */
import { attribute, parseAttributes, readNumber, readString } from '../netlink/attribute.ts';
import { IFREQ, IOCTL, LOOPBACK_IFINDEX, SOCKET } from '../sys/constants.ts';
import { check, libc } from '../sys/libc.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { withNamespace } from '../sys/namespace.ts';
import { RouteSocket } from './route-socket.ts';

/** linux/rtnetlink.h */
const RTM = {
  NEWLINK: 16,
  GETLINK: 18,
  NEWADDR: 20,
  GETADDR: 22,
  NEWROUTE: 24,
  GETROUTE: 26,
} as const;
/** struct rtmsg: family, dst_len, ..., type */
const RTMSG = { DST_LEN: 1, TYPE: 7, BYTES: 12 } as const;
const RTA = { DST: 1, OIF: 4 } as const;
/** struct ifinfomsg */
const IFINFOMSG = { INDEX: 4, FLAGS: 8, BYTES: 16 } as const;
/** struct ifaddrmsg */
const IFADDRMSG_BYTES = 8;
const IFA_LOCAL = 2;
const RTN_LOCAL = 2;
const IFF_UP = 1;
const IFLA_IFNAME = 3;
/** How long what was learned is taken for true. */
const MEMORY_MS = 500;

/** Devices we make ourselves have names that begin like this. */
export const DEVICE_PREFIX = 'ndivert';

const NO_BYTES: Uint8Array = new Uint8Array(0);

export class Devices {
  readonly route: RouteSocket;
  readonly #control: number;
  readonly #request: Memory = allocate(IFREQ.BYTES);
  // Measured: asking the kernel for each packet costs more than putting it in.
  readonly #hardware = { interfaceIndex: 0, address: new Uint8Array(6), untilMs: 0 };
  readonly #origin = { source: NO_BYTES, interfaceIndex: null as number | null, untilMs: 0 };
  readonly #own = { addresses: new Set<number>(), untilMs: 0 };

  constructor(namespace: string | undefined) {
    const { AF_INET, SOCK_DGRAM, SOCK_CLOEXEC } = SOCKET;
    [this.#control, this.route] = withNamespace(namespace, () => {
      const control = libc.socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      check(control, 'socket', 'open a socket');
      try {
        return [control, new RouteSocket()];
      } catch (error) {
        libc.close(control);
        throw error;
      }
    });
  }

  /**
   * Hardware address of a device, 6 bytes, valid until the next call; zeros where it has none.
   *
   * @returns null when there is no such device
   */
  hardwareAddress(interfaceIndex: number): Uint8Array | null {
    const known = this.#hardware;
    const nowMs = performance.now();
    if (known.interfaceIndex === interfaceIndex && nowMs < known.untilMs) return known.address;
    const { bytes } = this.#request;
    if (!this.#fillName(interfaceIndex)) return null;
    if (libc.ioctl(this.#control, IOCTL.SIOCGIFHWADDR, bytes) < 0) return null;
    known.interfaceIndex = interfaceIndex;
    known.address.set(bytes.subarray(IFREQ.HARDWARE_ADDRESS, IFREQ.HARDWARE_ADDRESS + 6));
    known.untilMs = nowMs + MEMORY_MS;
    return known.address;
  }

  /** Name of an interface, null when there is no such one. */
  nameOf(interfaceIndex: number): string | null {
    if (!this.#fillName(interfaceIndex)) return null;
    return readString(this.#request.bytes.subarray(IFREQ.NAME, IFREQ.VALUE));
  }

  /**
   * Whether this host has an IPv4 address.
   *
   * @param address in host byte order
   */
  hasIPv4(address: number): boolean {
    const nowMs = performance.now();
    if (nowMs >= this.#own.untilMs) {
      this.#own.addresses = this.#listIPv4();
      this.#own.untilMs = nowMs + MEMORY_MS;
    }
    return this.#own.addresses.has(address);
  }

  /**
   * MTU of the device that packets to an address leave by.
   *
   * @param destination 4 or 16 bytes
   * @returns null when there is no route
   */
  mtuTo(destination: Uint8Array): number | null {
    const route = this.#routeTo(destination);
    return route ? this.mtuOf(route.interfaceIndex) : null;
  }

  /** MTU of a device, null when there is no such device. */
  mtuOf(interfaceIndex: number): number | null {
    const { bytes, view } = this.#request;
    if (!this.#fillName(interfaceIndex)) return null;
    if (libc.ioctl(this.#control, IOCTL.SIOCGIFMTU, bytes) < 0) return null;
    return view.getUint32(IFREQ.VALUE, true);
  }

  /**
   * The interface that packets from an address come in on: that of the route to it, else the only
   * one there is.
   *
   * @param source 4 or 16 bytes
   * @returns LOOPBACK_IFINDEX for an address of this host; null when there is no telling
   */
  forSource(source: Uint8Array): number | null {
    const known = this.#origin;
    const nowMs = performance.now();
    if (nowMs < known.untilMs && isEqual(source, known.source)) return known.interfaceIndex;
    known.source = source.slice();
    known.interfaceIndex = this.#findOrigin(source);
    known.untilMs = nowMs + MEMORY_MS;
    return known.interfaceIndex;
  }

  #findOrigin(source: Uint8Array): number | null {
    const route = this.#routeTo(source);
    if (route?.type === RTN_LOCAL) return LOOPBACK_IFINDEX;
    const isLinkLocal = source.length === 16 && source[0] === 0xfe;
    if (route && !isLinkLocal) return route.interfaceIndex;
    const candidates = this.#listUp();
    return candidates.length === 1 ? (candidates[0] ?? null) : null;
  }

  /** Sets up a device of ours. */
  bringUp(name: string, mtuBytes: number): number {
    const { bytes, view } = this.#request;
    const call = (request: number, operation: string): void => {
      check(libc.ioctl(this.#control, request, bytes), 'ioctl', operation);
    };
    bytes.fill(0);
    bytes.set(new TextEncoder().encode(name), IFREQ.NAME);
    call(IOCTL.SIOCGIFINDEX, 'find a TAP device');
    const interfaceIndex = view.getUint32(IFREQ.VALUE, true);
    view.setUint32(IFREQ.VALUE, mtuBytes, true);
    call(IOCTL.SIOCSIFMTU, 'set the MTU of a TAP device');
    call(IOCTL.SIOCGIFFLAGS, 'read the flags of a TAP device');
    view.setUint16(IFREQ.VALUE, view.getUint16(IFREQ.VALUE, true) | IFF_UP, true);
    call(IOCTL.SIOCSIFFLAGS, 'bring a TAP device up');
    return interfaceIndex;
  }

  close(): void {
    this.route.close();
    libc.close(this.#control);
  }

  /** Starts a request with the name of an interface. */
  #fillName(interfaceIndex: number): boolean {
    const { bytes, view } = this.#request;
    bytes.fill(0);
    view.setUint32(IFREQ.VALUE, interfaceIndex, true);
    return libc.ioctl(this.#control, IOCTL.SIOCGIFNAME, bytes) === 0;
  }

  #listIPv4(): Set<number> {
    const header = new Uint8Array(IFADDRMSG_BYTES);
    header[0] = SOCKET.AF_INET;
    const found = new Set<number>();
    for (const { type, payload } of this.route.dump(RTM.GETADDR, [header])) {
      if (type !== RTM.NEWADDR) continue;
      const address = parseAttributes(payload.subarray(IFADDRMSG_BYTES)).get(IFA_LOCAL);
      if (address) found.add(readNumber(address));
    }
    return found;
  }

  #routeTo(address: Uint8Array): { type: number; interfaceIndex: number } | null {
    const header = new Uint8Array(RTMSG.BYTES);
    header[0] = address.length === 4 ? SOCKET.AF_INET : SOCKET.AF_INET6;
    header[RTMSG.DST_LEN] = address.length * 8;
    for (const { type, payload } of this.route.ask(RTM.GETROUTE, [
      header,
      attribute(RTA.DST, address),
    ])) {
      if (type !== RTM.NEWROUTE) continue;
      const oif = parseAttributes(payload.subarray(RTMSG.BYTES)).get(RTA.OIF);
      const interfaceIndex = oif ? new DataView(oif.buffer, oif.byteOffset).getUint32(0, true) : 0;
      if (interfaceIndex > 0) return { type: payload[RTMSG.TYPE] ?? 0, interfaceIndex };
    }
    return null;
  }

  /** Devices that are up, without lo and our own. */
  #listUp(): number[] {
    const found: number[] = [];
    for (const { type, payload } of this.route.dump(RTM.GETLINK, [
      new Uint8Array(IFINFOMSG.BYTES),
    ])) {
      if (type !== RTM.NEWLINK) continue;
      const view = new DataView(payload.buffer, payload.byteOffset);
      const index = view.getUint32(IFINFOMSG.INDEX, true);
      const isUp = (view.getUint32(IFINFOMSG.FLAGS, true) & IFF_UP) !== 0;
      const name = parseAttributes(payload.subarray(IFINFOMSG.BYTES)).get(IFLA_IFNAME);
      const isOurs = new TextDecoder().decode(name).startsWith(DEVICE_PREFIX);
      if (isUp && !isOurs && index !== LOOPBACK_IFINDEX) found.push(index);
    }
    return found;
  }
}

function isEqual(left: Uint8Array, right: Uint8Array): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) if (left[index] !== right[index]) return false;
  return true;
}
