// Sends single datagrams at a steady rate until it is ended. Arguments: address, port, datagrams per second.
// Says "ready" first.
import { createSocket } from 'node:dgram';

const [address, port, rate] = process.argv.slice(2);
const PERIOD_MS = 2;
const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
const start = performance.now();
let sent = 0;
setInterval(() => {
  const due = ((performance.now() - start) / 1000) * Number(rate);
  for (; sent < due; sent++) socket.send('steady', Number(port), address);
}, PERIOD_MS);
process.stdout.write('ready\n');
