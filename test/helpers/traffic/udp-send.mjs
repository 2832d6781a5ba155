// Sends one datagram of every length from..to; byte i of the one with length n is (n + i) & 255.
// Arguments: address, port, from, to.
import dgram from 'node:dgram';

const [address, port, from, to] = process.argv.slice(2);
const socket = dgram.createSocket(address.includes(':') ? 'udp6' : 'udp4');
for (let length = Number(from); length <= Number(to); length++) {
  const bytes = Uint8Array.from({ length }, (_, index) => (length + index) & 255);
  await new Promise((resolve, reject) =>
    socket.send(bytes, Number(port), address, (error) => (error ? reject(error) : resolve())),
  );
}
socket.close();
