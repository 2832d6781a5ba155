// Replaces a word in payloads by another of the same length. Checksums follow by themselves.
//
//   sudo node examples/rewrite.ts 'inbound and tcp.SrcPort == 80' rain snow

import { open } from 'netdivert';

const [filter, from = '', to] = process.argv.slice(2);
if (filter === undefined || to === undefined || from.length !== to.length) {
  console.error('usage: node examples/rewrite.ts <filter> <word> <word of the same length>');
  process.exit(2);
}

const handle = await open(filter);
process.once('SIGINT', () => handle.close());
console.log(`"${from}" becomes "${to}", Ctrl-C ends`);

let replaced = 0;
for await (const packet of handle) {
  const { buffer, byteOffset, byteLength } = packet.payload;
  const payload = Buffer.from(buffer, byteOffset, byteLength);
  for (let at = payload.indexOf(from); at !== -1; at = payload.indexOf(from, at + to.length)) {
    payload.write(to, at);
    replaced += 1;
  }
  handle.send(packet);
}
console.log(`${replaced} words replaced`);
