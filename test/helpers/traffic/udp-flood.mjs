// Sends `count` equal datagrams as fast as the kernel takes them, 64 to a system call.
// Arguments: address (IPv4), port, count, payload length, nanoseconds between two system calls (0).
// Says "ready" first and how many were sent at the end.
import koffi from 'koffi';

const [address, port, count, length, pauseNs = 0] = process.argv.slice(2);
const [AF_INET, SOCK_DGRAM, BATCH] = [2, 2, 64];
const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)');
const connect = libc.func('int connect(int, void *, uint32_t)');
const sendmmsg = libc.func('int sendmmsg(int, void *, uint32_t, int)');

const target = Buffer.alloc(16);
target.writeUInt16LE(AF_INET, 0);
target.writeUInt16BE(Number(port), 2);
target.set(address.split('.').map(Number), 4);
const fd = socket(AF_INET, SOCK_DGRAM, 0);
if (connect(fd, target, target.length) !== 0) throw new Error(`no route to ${address}`);

// struct mmsghdr: iovec pointer at 16, number of iovecs at 24; all messages share one iovec.
const payload = Buffer.alloc(Math.max(1, Number(length)), 'flood');
const iovec = Buffer.alloc(16);
iovec.writeBigUInt64LE(koffi.address(payload), 0);
iovec.writeBigUInt64LE(BigInt(length), 8);
const messages = Buffer.alloc(64 * BATCH);
for (let index = 0; index < BATCH; index++) {
  messages.writeBigUInt64LE(koffi.address(iovec), 64 * index + 16);
  messages.writeBigUInt64LE(1n, 64 * index + 24);
}

process.stdout.write('ready\n');
let sent = 0;
while (sent < Number(count)) {
  const taken = sendmmsg(fd, messages, Math.min(BATCH, Number(count) - sent), 0);
  // A full device queue or a refused datagram: the next one may go.
  if (taken > 0) sent += taken;
  const until = process.hrtime.bigint() + BigInt(pauseNs);
  while (process.hrtime.bigint() < until);
}
process.stdout.write(`${sent}\n`);
