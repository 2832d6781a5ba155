// Sends a client that asks for one server to another, without the client knowing: packets rewritten by
// hand. For a proxy that needs to know who was asked for, see streamdump.ts.
//
//   sudo node examples/redirect.ts 192.0.2.1:80 127.0.0.1:8080

import { open } from 'netdivert';

const [from, to] = process.argv.slice(2).map((text) => {
  const [address = '', port] = text.split(':');
  return { address, port: Number(port) };
});
if (!from?.port || !to?.port) {
  console.error('usage: node examples/redirect.ts <address:port> <address:port>');
  process.exit(2);
}

const handle = await open(
  `(outbound and ip.DstAddr == ${from.address} and tcp.DstPort == ${from.port}) or
   (inbound and ip.SrcAddr == ${to.address} and tcp.SrcPort == ${to.port})`,
);
process.once('SIGINT', () => handle.close());
console.log('redirecting, Ctrl-C ends');

// Ports of the clients: others may talk to the second server directly.
const redirected = new Set<number>();
for await (const packet of handle) {
  const { ip, tcp } = packet;
  if (ip && tcp && packet.address.outbound) {
    redirected.add(tcp.srcPort);
    ip.dstAddr = to.address;
    tcp.dstPort = to.port;
  } else if (ip && tcp && redirected.has(tcp.dstPort)) {
    ip.srcAddr = from.address;
    tcp.srcPort = from.port;
  }
  handle.send(packet);
}
console.log(`${redirected.size} connections redirected`);
