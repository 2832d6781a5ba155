// Takes packets out and puts them back unchanged, many at a time: WinDivert's passthru.
//
//   sudo node examples/passthru.ts [filter] [batch size] [priority]

import { open } from 'netdivert';

const [filter = 'true', batchSize = '255', priority = '0'] = process.argv.slice(2);
const handle = await open(filter, { priority: Number(priority) });
process.once('SIGINT', () => handle.close());
console.log('passing packets, Ctrl-C ends');

for await (const batch of handle.batches(Number(batchSize))) batch.send();

const { sent, lost } = handle.stats();
console.log(`${sent} packets passed, ${lost.total} lost`);
