// Dumps the data of TCP connections to a port, both ways: connections are redirected to a proxy in this
// program, which the two ends do not notice. WinDivert's streamdump.
//
//   sudo node examples/streamdump.ts <port>

import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { redirect } from 'netdivert';

const port = Number(process.argv[2]);
if (!Number.isInteger(port)) {
  console.error('usage: node examples/streamdump.ts <port>');
  process.exit(2);
}

const sockets = new Set<Socket>();
const proxy = createServer({ allowHalfOpen: true }, (client) => {
  const { remoteAddress = '', remotePort = 0 } = client;
  const to = redirection.originalDestination(remoteAddress, remotePort);
  if (!to) return client.destroy(); // somebody connected to the proxy itself
  const server = connect({ host: to.address, port: to.port, allowHalfOpen: true });
  const name = `${remoteAddress.replace('::ffff:', '')}:${remotePort} > ${to.address}:${to.port}`;
  console.log(`${name} connected`);
  copy(client, server, `${name} sent`);
  copy(server, client, `${name} received`);
});
await new Promise<void>((resolve) => proxy.listen(0, '::', resolve));

const redirection = await redirect({
  filter: `tcp.DstPort == ${port}`,
  to: { port: (proxy.address() as AddressInfo).port },
});
process.once('SIGINT', async () => {
  for (const socket of sockets) socket.destroy();
  proxy.close();
  await redirection.close();
});
console.log(`dumping connections to port ${port}, Ctrl-C ends`);

/** Copies one direction, and prints it. */
function copy(from: Socket, to: Socket, title: string): void {
  sockets.add(from);
  from.on('data', (data) => console.log(`${title} ${data.length} bytes\n${printable(data)}`));
  from.on('error', () => to.destroy());
  from.on('close', () => sockets.delete(from));
  from.pipe(to);
}

function printable(data: Buffer): string {
  return data.toString('latin1').replace(/[^\n -~]/g, (byte) => (byte === '\r' ? '' : '.'));
}
