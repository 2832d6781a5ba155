/**
 * What packets have in common that must stay in their order.
 *
 * @module
 */
import { readUint8 } from '../../packet/bytes.ts';
import { PacketScan, scanPacket } from '../../packet/layout.ts';
import type { Packet } from '../../packet/packet.ts';

/** By IP version: both addresses, one behind the other. */
const ADDRESSES = { 4: { FROM: 12, TO: 20 }, 6: { FROM: 8, TO: 40 } } as const;
/** Both ports of TCP and UDP. */
const PORT_BYTES = 4;

const scan: PacketScan = new PacketScan();

/**
 * Names a packet's flow: protocol, addresses and, in what is no fragment, the ports of TCP and UDP.
 * The two directions of a connection are two flows. Fragments of the same addresses are one.
 */
export function flowKey(packet: Packet): string {
  const { memory, offset, length } = packet;
  if (!scanPacket(memory, offset, length, scan)) return '';
  const { FROM, TO } = ADDRESSES[scan.version === 4 ? 4 : 6];
  let key = String.fromCharCode(scan.protocol);
  key += textOf(memory, offset + FROM, offset + TO);
  const hasPorts = scan.fragment === 0 && (scan.tcp >= 0 || scan.udp >= 0);
  const ports = offset + scan.headersEnd;
  return hasPorts ? key + textOf(memory, ports, ports + PORT_BYTES) : key;
}

/** A character a byte. */
function textOf(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at++) text += String.fromCharCode(readUint8(bytes, at));
  return text;
}
