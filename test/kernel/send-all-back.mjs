// Opens a handle and sends back everything it takes, until it is killed. Says "ready" first.
// Arguments: filter.
import { open } from '../../dist/index.js';

const handle = await open(process.argv[2]);
process.stdout.write('ready\n');
for await (const batch of handle.batches()) batch.send();
