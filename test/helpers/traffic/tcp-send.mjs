// Sends `bytes` pseudo-random bytes over one connection; prints their length and SHA-256.
// Arguments: address, port, bytes.
import { createHash } from 'node:crypto';
import net from 'node:net';

const [address, port, total] = process.argv.slice(2);
const hash = createHash('sha256');
const block = Buffer.alloc(1 << 20);
let state = 0x12345678;
const socket = net.connect(Number(port), address);
let left = Number(total);

function next() {
  const words = new Uint32Array(block.buffer, block.byteOffset, block.length >> 2);
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[i] = state;
  }
  const chunk = Buffer.from(block.subarray(0, Math.min(left, block.length)));
  left -= chunk.length;
  hash.update(chunk);
  return chunk;
}

while (left > 0) {
  if (!socket.write(next())) await new Promise((resolve) => socket.once('drain', resolve));
}
socket.end();
socket.resume();
await new Promise((resolve) => socket.once('close', resolve));
process.stdout.write(`${JSON.stringify({ length: Number(total), sha256: hash.digest('hex') })}\n`);
