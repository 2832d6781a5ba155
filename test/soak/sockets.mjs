/** A program that binds, listens, connects and closes, so that there are flows and sockets to report. */

import { setTimeout as sleep } from 'node:timers/promises';

/** Port 1 is refused while a blocking handle is open. */
const PROGRAM = `
import { createSocket } from 'node:dgram';
import { connect, createServer } from 'node:net';
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const end = (socket) => new Promise((resolve) => socket.once('close', resolve).once('error', resolve));
for (;;) {
  const server = createServer((socket) => socket.on('error', () => {}).end('x'));
  server.on('error', () => {});
  server.listen(0, '127.0.0.1', () => {
    const client = connect(server.address().port, '127.0.0.1').resume();
    end(client).then(() => server.close());
  });
  const udp = createSocket('udp4');
  udp.on('error', () => udp.close()).bind(1, '127.0.0.1', () => udp.close());
  await wait(20);
}
`;

/** Runs it in a namespace until the signal aborts. */
export async function callSockets(end, signal) {
  const child = end.start(process.execPath, '--input-type=module', '-e', PROGRAM);
  const ended = new Promise((resolve) => child.once('close', resolve));
  while (!signal.aborted) await sleep(50);
  child.kill('SIGKILL');
  await ended;
}
