// Shows a page of its own instead of web sites on a list (plain HTTP): WinDivert's webfilter.
//
//   sudo node examples/webfilter.ts <host> [host ...]

import { httpRequest, type NetworkHandle, open, Packet, rejectAnswers } from 'netdivert';

const blocked = new Set(process.argv.slice(2).map((host) => host.toLowerCase()));
if (blocked.size === 0) {
  console.error('usage: node examples/webfilter.ts <host> [host ...]');
  process.exit(2);
}

const BODY = '<!DOCTYPE html><title>Blocked</title><h1>This site is blocked.</h1>\n';
const RESPONSE = Buffer.from(
  `HTTP/1.1 403 Forbidden\r\nContent-Type: text/html\r\nContent-Length: ${BODY.length}\r\n` +
    `Connection: close\r\n\r\n${BODY}`,
);

const handle = await open('outbound and tcp.DstPort == 80 and tcp.PayloadLength > 0');
process.once('SIGINT', () => handle.close());
console.log(`blocking ${[...blocked].join(', ')}, Ctrl-C ends`);

for await (const packet of handle) {
  const request = httpRequest(packet.readPayload());
  if (!request || !isBlocked(request.host)) {
    handle.send(packet);
    continue;
  }
  console.log(`blocked ${request.method} http://${request.host}${request.target}`);
  answer(handle, packet);
}

/** The host itself, or a part of it: www.ads.example when ads.example is blocked. */
function isBlocked(host: string | null): boolean {
  const labels = host?.split('.') ?? [];
  return labels.some((_label, at) => blocked.has(labels.slice(at).join('.')));
}

/** The page for the browser in the server's name, and a reset for the server. */
function answer(handle: NetworkHandle, request: Packet): void {
  const page = new Packet(request.bytes.slice(), { ...request.address, outbound: false });
  const ip = page.ip ?? page.ipv6;
  const { tcp } = page;
  if (!ip || !tcp) return;
  [ip.srcAddr, ip.dstAddr] = [ip.dstAddr, ip.srcAddr];
  [tcp.srcPort, tcp.dstPort] = [tcp.dstPort, tcp.srcPort];
  const nextByte = (tcp.sequenceNumber + request.payload.length) >>> 0;
  [tcp.sequenceNumber, tcp.acknowledgmentNumber] = [tcp.acknowledgmentNumber, nextByte];
  tcp.fin = true;
  tcp.dataOffset = 5; // the options were the client's
  page.payload = RESPONSE;

  const reset = rejectAnswers(request).find(({ to }) => to === 'destination');
  const { address } = request;
  handle.drop(request);
  handle.send(page);
  if (reset) handle.send(reset.bytes, { outbound: true, loopback: address.loopback });
}
