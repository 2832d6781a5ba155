// Takes packets out and puts them back unchanged, many at a time.
//
//   sudo node examples/passthru.mjs [filter]

import { open } from 'netdivert';

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const handle = await open(process.argv[2] ?? 'true', { signal: stop.signal });
console.log('passing packets, Ctrl-C ends');

for await (const batch of handle.batches()) batch.send();

const { sent, lost } = handle.stats();
console.log(`${sent} packets passed, ${lost.total} lost`);
