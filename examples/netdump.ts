// Prints packets as they pass by, with their bytes: WinDivert's netdump.
//
//   sudo node examples/netdump.ts [filter] [priority]

import { open, type Packet } from 'netdivert';

const [filter = 'true', priority = '0'] = process.argv.slice(2);
const handle = await open(filter, { mode: 'sniff', priority: Number(priority) });
// What was copied so far is still printed.
process.once('SIGINT', () => handle.shutdown('receive'));
console.log('dumping packets, Ctrl-C ends');

for await (const packet of handle) console.log(`${headline(packet)}\n${hexDump(packet.bytes)}`);

const { delivered, lost } = handle.stats();
await handle.close();
console.log(`${delivered} packets dumped, ${lost.total} lost`);

function headline(packet: Packet): string {
  const { address } = packet;
  const ip = packet.ip ?? packet.ipv6;
  // Where a packet leaves is not known yet when it is copied.
  const way = address.outbound ? 'out' : `in if${address.interfaceIndex}`;
  const ends = `${ip?.srcAddr} > ${ip?.dstAddr}`;
  return `${way} ${ends} ${transport(packet)}, ${packet.length} bytes`;
}

function transport({ tcp, udp, icmp, icmpv6, ip, ipv6 }: Packet): string {
  if (tcp) {
    const names = ['syn', 'ack', 'psh', 'fin', 'rst', 'urg'] as const;
    const flags = names.filter((name) => tcp[name]).join(' ');
    return `tcp ${tcp.srcPort} > ${tcp.dstPort} [${flags}] seq ${tcp.sequenceNumber}`;
  }
  if (udp) return `udp ${udp.srcPort} > ${udp.dstPort}`;
  const message = icmp ?? icmpv6;
  if (message) return `${icmp ? 'icmp' : 'icmpv6'} type ${message.type} code ${message.code}`;
  return `protocol ${ip?.protocol ?? ipv6?.nextHeader}`;
}

function hexDump(bytes: Uint8Array): string {
  const rows: string[] = [];
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = Buffer.from(row)
      .toString('latin1')
      .replace(/[^ -~]/g, '.');
    rows.push(`  ${at.toString(16).padStart(4, '0')}  ${hex.padEnd(47)}  ${text}`);
  }
  return rows.join('\n');
}
