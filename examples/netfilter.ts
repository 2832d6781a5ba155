// Blocks what matches and says so to the sender, so that nobody waits: TCP is reset, everything else
// gets an "unreachable" message. WinDivert's netfilter.
//
//   sudo node examples/netfilter.ts <filter> [priority]

import { open, reject } from 'netdivert';

const [filter, priority = '0'] = process.argv.slice(2);
if (filter === undefined) {
  console.error('usage: node examples/netfilter.ts <filter> [priority]');
  process.exit(2);
}

const handle = await open(filter, { priority: Number(priority) });
process.once('SIGINT', () => handle.close());
console.log(`blocking ${filter}, Ctrl-C ends`);

for await (const packet of handle) {
  const { tcp, udp } = packet;
  const ip = packet.ip ?? packet.ipv6;
  const ports = tcp ?? udp;
  const to = ports ? `${ip?.dstAddr} port ${ports.dstPort}` : ip?.dstAddr;
  const protocol = tcp ? 'tcp' : udp ? 'udp' : 'other';
  // Drops the packet, and sends what its protocol has for that.
  const answers = reject(handle, packet);
  console.log(`blocked ${protocol} ${ip?.srcAddr} > ${to}, ${answers} answers`);
}
console.log(`${handle.stats().dropped} packets blocked`);
