// Accepts one connection and prints the length and SHA-256 of what came, each byte XORed with `mask`.
// Arguments: address, port, mask. Says "ready" first.
import { createHash } from 'node:crypto';
import net from 'node:net';

const [address, port, mask] = process.argv.slice(2);
const hash = createHash('sha256');
let length = 0;
const server = net.createServer((socket) => {
  server.close();
  socket.on('data', (chunk) => {
    if (Number(mask) !== 0) for (let i = 0; i < chunk.length; i++) chunk[i] ^= Number(mask);
    hash.update(chunk);
    length += chunk.length;
  });
  socket.on('end', () => {
    process.stdout.write(`${JSON.stringify({ length, sha256: hash.digest('hex') })}\n`);
    socket.end();
  });
});
server.listen(Number(port), address, () => process.stdout.write('ready\n'));
