// Sends `count` datagrams, slowly enough for an emulated processor. Number n has 1 + 4n % 1400
// bytes: up to 350 of them differ in length. Byte i of a datagram is (length + i) & 255.
// Arguments: address, port, count.
import dgram from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';

const BURST = 8;
const PAUSE_MS = 10;

const [address, port, count] = process.argv.slice(2);
const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
for (let number = 0; number < Number(count); number++) {
  const length = 1 + ((4 * number) % 1400);
  const bytes = Uint8Array.from({ length }, (_, index) => (length + index) & 255);
  await new Promise((resolve, reject) =>
    socket.send(bytes, Number(port), address, (error) => (error ? reject(error) : resolve())),
  );
  if (number % BURST === BURST - 1) await sleep(PAUSE_MS);
}
socket.close();
