// Drops what matches, in the kernel: no packet comes up to this program.
//
//   sudo node examples/block.ts 'outbound and udp.DstPort == 53'

import { open } from 'netdivert';

const filter = process.argv[2];
if (filter === undefined) {
  console.error('usage: node examples/block.ts <filter>');
  process.exit(2);
}

const handle = await open(filter, { mode: 'drop' });
console.log(`blocking ${filter}, Ctrl-C ends`);

process.once('SIGINT', async () => {
  await handle.close();
  console.log(`${handle.stats().dropped} packets dropped`);
});
