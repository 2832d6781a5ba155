/**
 * The answer to a blocked HTTP request, as packets of the server would bring it.
 *
 * @module
 */

import { calcChecksums } from '../../packet/checksum.ts';
import type { Packet } from '../../packet/packet.ts';

const IPV4 = {
  LENGTH: 20,
  TOTAL_LENGTH: 2,
  TTL: 8,
  PROTOCOL: 9,
  SOURCE: 12,
  DESTINATION: 16,
} as const;
const IPV6 = {
  LENGTH: 40,
  PAYLOAD_LENGTH: 4,
  NEXT_HEADER: 6,
  HOP_LIMIT: 7,
  SOURCE: 8,
  DESTINATION: 24,
} as const;
const TCP = {
  LENGTH: 20,
  SEQUENCE: 4,
  ACKNOWLEDGEMENT: 8,
  OFFSET: 12,
  FLAGS: 13,
  WINDOW: 14,
} as const;
const IPPROTO_TCP = 6;
const HOPS = 64;
const HEADER_WORDS = 5 << 4;
const FLAGS = { FIN_PSH_ACK: 0x19 } as const;
const WINDOW = 65_535;
const ADDRESS_BYTES = { 4: 4, 6: 16 } as const;

/** A page that says what happened. It fits one packet. */
export function blockPage(host: string): string {
  const name = host.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`);
  return `<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Blocked</title>
<style>body{font:16px sans-serif;margin:20vh auto;max-width:32em;text-align:center}</style></head>
<body><h1>Blocked</h1><p><strong>${name}</strong> is on the block list of this machine.</p>
<p>netdivert web</p></body></html>
`;
}

/** The whole response. */
export function blockResponse(page: string): Buffer {
  const body = Buffer.from(page);
  const head = [
    'HTTP/1.1 403 Forbidden',
    'Content-Type: text/html; charset=utf-8',
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
    'Connection: close',
    '\r\n',
  ].join('\r\n');
  return Buffer.concat([Buffer.from(head), body]);
}

/**
 * The packet that answers a request in the server's name and ends the connection.
 *
 * @param request - the packet with the end of the request
 * @param response - what it says
 * @returns the packet, with its checksums; null when the request is no TCP packet
 */
export function answerPacket(request: Packet, response: Uint8Array): Uint8Array | null {
  const { tcp } = request;
  if (tcp === null) return null;
  const version = request.ip === null ? 6 : 4;
  const start = version === 4 ? IPV4.LENGTH : IPV6.LENGTH;
  const bytes = new Uint8Array(start + TCP.LENGTH + response.length);
  const view = new DataView(bytes.buffer);
  if (version === 4) {
    view.setUint8(0, 0x45);
    view.setUint16(IPV4.TOTAL_LENGTH, bytes.length);
    view.setUint8(IPV4.TTL, HOPS);
    view.setUint8(IPV4.PROTOCOL, IPPROTO_TCP);
  } else {
    view.setUint8(0, 0x60);
    view.setUint16(IPV6.PAYLOAD_LENGTH, bytes.length - start);
    view.setUint8(IPV6.NEXT_HEADER, IPPROTO_TCP);
    view.setUint8(IPV6.HOP_LIMIT, HOPS);
  }
  copyAddresses(request.bytes, bytes, version);
  view.setUint16(start, tcp.dstPort);
  view.setUint16(start + 2, tcp.srcPort);
  view.setUint32(start + TCP.SEQUENCE, tcp.acknowledgmentNumber);
  view.setUint32(start + TCP.ACKNOWLEDGEMENT, tcp.sequenceNumber + request.payload.length);
  view.setUint8(start + TCP.OFFSET, HEADER_WORDS);
  view.setUint8(start + TCP.FLAGS, FLAGS.FIN_PSH_ACK);
  view.setUint16(start + TCP.WINDOW, WINDOW);
  bytes.set(response, start + TCP.LENGTH);
  calcChecksums(bytes);
  return bytes;
}

/** The way back. */
function copyAddresses(from: Uint8Array, to: Uint8Array, version: 4 | 6): void {
  const { SOURCE, DESTINATION } = version === 4 ? IPV4 : IPV6;
  const length = ADDRESS_BYTES[version];
  to.set(from.subarray(DESTINATION, DESTINATION + length), SOURCE);
  to.set(from.subarray(SOURCE, SOURCE + length), DESTINATION);
}
