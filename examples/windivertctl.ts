// Lists the handles of all processes, watches them, or ends the processes that have them: WinDivert's
// windivertctl.
//
//   sudo node examples/windivertctl.ts list|watch|kill [filter]
//   sudo node examples/windivertctl.ts kill 'layer == NETWORK and priority > 100'

import { open, type ReflectEvent } from 'netdivert';

const [command = '', filter = 'true'] = process.argv.slice(2);
if (!['list', 'watch', 'kill'].includes(command)) {
  console.error('usage: node examples/windivertctl.ts list|watch|kill [filter]');
  process.exit(2);
}

const handle = await open(filter, { layer: 'reflect' });
// Handles that are open now are there first: the others only matter to "watch".
if (command !== 'watch') handle.shutdown('receive');
process.once('SIGINT', () => handle.close());
if (command === 'watch') console.log('watching handles, Ctrl-C ends');

const ended = new Set<number>();
for await (const event of handle) {
  if (command !== 'kill') {
    console.log(describe(event));
  } else if (event.event === 'open' && !ended.has(event.processId)) {
    ended.add(event.processId);
    process.kill(event.processId, 'SIGTERM');
    console.log(`${describe(event)}: told to end`);
  }
}
await handle.close();

function describe({ event, processId, layer, priority, flags, filter }: ReflectEvent): string {
  return `${event} process ${processId} ${layer} priority ${priority} flags ${flags} ${filter}`;
}
