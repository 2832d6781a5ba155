/**
 * The views of one packet, made when first asked for and used again for the next packet.
 *
 * @module
 */

import type { ChangeRecord, HeaderView } from './header-view.ts';
import { IcmpView, Icmpv6View } from './icmp.ts';
import { IPv4View } from './ipv4.ts';
import { IPv6View } from './ipv6.ts';
import { LENGTHS, type PacketScan } from './layout.ts';
import { TcpView } from './tcp.ts';
import { UdpView } from './udp.ts';

/** What a view is made over before it is bound to a packet. */
const ANY_HEADER: Uint8Array = new Uint8Array(LENGTHS.IPV6_HEADER);

/** Each method gives the view bound to the header that the scan found, or null. @internal */
export class HeaderViews {
  readonly #record: ChangeRecord;
  #ip: IPv4View | null = null;
  #ipv6: IPv6View | null = null;
  #tcp: TcpView | null = null;
  #udp: UdpView | null = null;
  #icmp: IcmpView | null = null;
  #icmpv6: Icmpv6View | null = null;

  constructor(record: ChangeRecord) {
    this.#record = record;
  }

  ip(memory: Uint8Array, offset: number, scan: PacketScan): IPv4View | null {
    if (scan.version !== 4) return null;
    this.#ip ??= new IPv4View(ANY_HEADER, 0, this.#record);
    return bind(this.#ip, memory, offset, 0, scan);
  }

  ipv6(memory: Uint8Array, offset: number, scan: PacketScan): IPv6View | null {
    if (scan.version !== 6) return null;
    this.#ipv6 ??= new IPv6View(ANY_HEADER, 0, this.#record);
    return bind(this.#ipv6, memory, offset, 0, scan);
  }

  tcp(memory: Uint8Array, offset: number, scan: PacketScan): TcpView | null {
    if (scan.tcp < 0) return null;
    this.#tcp ??= new TcpView(ANY_HEADER, 0, this.#record);
    return bind(this.#tcp, memory, offset, scan.tcp, scan);
  }

  udp(memory: Uint8Array, offset: number, scan: PacketScan): UdpView | null {
    if (scan.udp < 0) return null;
    this.#udp ??= new UdpView(ANY_HEADER, 0, this.#record);
    return bind(this.#udp, memory, offset, scan.udp, scan);
  }

  icmp(memory: Uint8Array, offset: number, scan: PacketScan): IcmpView | null {
    if (scan.icmp < 0) return null;
    this.#icmp ??= new IcmpView(ANY_HEADER, 0, this.#record);
    return bind(this.#icmp, memory, offset, scan.icmp, scan);
  }

  icmpv6(memory: Uint8Array, offset: number, scan: PacketScan): Icmpv6View | null {
    if (scan.icmpv6 < 0) return null;
    this.#icmpv6 ??= new Icmpv6View(ANY_HEADER, 0, this.#record);
    return bind(this.#icmpv6, memory, offset, scan.icmpv6, scan);
  }

  /** Views that were handed out follow the packet; one of a header that is gone stays where it was. */
  follow(memory: Uint8Array, offset: number, scan: PacketScan): void {
    if (this.#ip) this.ip(memory, offset, scan);
    if (this.#ipv6) this.ipv6(memory, offset, scan);
    if (this.#tcp) this.tcp(memory, offset, scan);
    if (this.#udp) this.udp(memory, offset, scan);
    if (this.#icmp) this.icmp(memory, offset, scan);
    if (this.#icmpv6) this.icmpv6(memory, offset, scan);
  }
}

function bind<View extends HeaderView>(
  view: View,
  memory: Uint8Array,
  offset: number,
  header: number,
  scan: PacketScan,
): View {
  return view.bind(memory, offset + header, offset + scan.dataEnd);
}
