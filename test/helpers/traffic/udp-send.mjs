// Sends one datagram of every length from..to; byte i of the one with length n is (n + i) & 255.
// Arguments: address, port, from, to.
import dgram from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';

const [address, port, from, to] = process.argv.slice(2);
/** A slow receiver's buffer holds as many. */
const ROW = 50;
const PATIENCE = Number(process.env.PATIENCE ?? 1);
const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
for (let length = Number(from); length <= Number(to); length++) {
  const bytes = Uint8Array.from({ length }, (_, index) => (length + index) & 255);
  await new Promise((resolve, reject) =>
    socket.send(bytes, Number(port), address, (error) => (error ? reject(error) : resolve())),
  );
  if (PATIENCE > 1 && length % ROW === 0) await sleep(PATIENCE ** 3);
}
socket.close();
