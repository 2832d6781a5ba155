// Prints every datagram as a line of base64, until `count` came or nothing came for `idleMs`.
// Arguments: address, port, count, idleMs, how long to wait for the first (20 s), the length of one that is the last.
// Says "ready" first.
import dgram from 'node:dgram';

const [address, port, count, idleMs, firstMs = 20_000, lastLength] = process.argv.slice(2);
const PATIENCE = Number(process.env.PATIENCE ?? 1);
const socket = dgram.createSocket({
  type: address.includes(':') ? 'udp6' : 'udp4',
  recvBufferSize: 8 << 20,
});
const lines = [];
let timer;

function finish() {
  clearTimeout(timer);
  socket.close();
  process.stdout.write(`${lines.join('\n')}\n`);
}

socket.on('message', (message) => {
  lines.push(message.toString('base64'));
  clearTimeout(timer);
  if (lines.length >= Number(count) || message.length === Number(lastLength)) finish();
  else timer = setTimeout(finish, idleMs * PATIENCE);
});
socket.bind(Number(port), address, () => {
  process.stdout.write('ready\n');
  timer = setTimeout(finish, firstMs * PATIENCE);
});
