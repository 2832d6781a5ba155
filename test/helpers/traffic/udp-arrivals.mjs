// Notes when datagrams arrive; at SIGTERM says the times in milliseconds since 1970, one a line.
// Arguments: address, port. Says "ready" first.
import { createSocket } from 'node:dgram';

const [address, port] = process.argv.slice(2);
const times = [];
const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
socket.on('message', () => times.push(performance.timeOrigin + performance.now()));
socket.bind(Number(port), address, () => process.stdout.write('ready\n'));
process.once('SIGTERM', () => {
  process.stdout.write(times.map((time) => `${time.toFixed(3)}\n`).join(''), () => process.exit());
});
