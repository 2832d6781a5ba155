// Counts packets and bytes by protocol and port of the other side, and lets them pass.
//
//   sudo node examples/count.ts [filter]

import { open } from 'netdivert';

// Counting must never cost a packet.
const handle = await open(process.argv[2] ?? 'tcp or udp', { onOverload: 'pass' });
process.once('SIGINT', () => handle.close());
console.log('counting, Ctrl-C ends');

const totals = new Map<string, { packets: number; bytes: number }>();
for await (const batch of handle.batches()) {
  for (const packet of batch) {
    const transport = packet.tcp ?? packet.udp;
    if (transport === null) continue;
    const port = packet.address.outbound ? transport.dstPort : transport.srcPort;
    const key = `${packet.tcp ? 'tcp' : 'udp'} ${port}`;
    const total = totals.get(key) ?? { packets: 0, bytes: 0 };
    total.packets += 1;
    total.bytes += packet.length;
    totals.set(key, total);
  }
  batch.send();
}

for (const [key, { packets, bytes }] of [...totals].sort(([, a], [, b]) => b.bytes - a.bytes)) {
  console.log(`${key}: ${packets} packets, ${bytes} bytes`);
}
