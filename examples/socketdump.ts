// Prints what programs do with sockets: bind, connect, listen, accept, close. With --block it also
// refuses it. WinDivert's socketdump.
//
//   sudo node examples/socketdump.ts [--block] [filter]
//   sudo node examples/socketdump.ts --block 'event == CONNECT and remotePort == 25'

import { open } from 'netdivert';

const PROTOCOLS: Readonly<Record<number, string>> = { 6: 'tcp', 17: 'udp' };

const block = process.argv.includes('--block');
const [filter = 'true'] = process.argv.slice(2).filter((argument) => argument !== '--block');
if (block && filter === 'true') {
  // As WinDivert's own sample would: no program gets a new connection any more.
  console.error('socketdump: --block without a filter blocks every socket of this machine');
  process.exit(2);
}

const handle = await open(filter, { layer: 'socket', mode: block ? 'divert' : 'sniff' });
process.once('SIGINT', () => handle.shutdown('receive'));
console.log(`${block ? 'blocking' : 'watching'} sockets, Ctrl-C ends`);

for await (const socket of handle) {
  const { event, localAddress, localPort, remoteAddress, remotePort } = socket;
  const verdict = socket.sniffed ? '' : ' BLOCKED';
  const protocol = PROTOCOLS[socket.protocol] ?? socket.protocol;
  const ends = `${localAddress} ${localPort} - ${remoteAddress} ${remotePort}`;
  console.log(`${event} ${protocol} ${ends} ${socket.processName}[${socket.processId}]${verdict}`);
}
const { delivered, lost } = handle.stats();
await handle.close();
console.log(`${delivered} events, ${lost.total} lost`);
