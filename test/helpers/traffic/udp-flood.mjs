// Sends `count` equal datagrams, 64 to a system call, as fast as the kernel takes them or slower.
// Arguments: address, port, count, payload length, datagrams per second.
// Says "ready" first and how many were sent at the end.
import koffi from 'koffi';

const [address, port, count, length, rate = Infinity] = process.argv.slice(2);
const [AF_INET, AF_INET6, SOCK_DGRAM, BATCH] = [2, 10, 2, 64];
const libc = koffi.load(null);
const socket = libc.func('int socket(int, int, int)');
const connect = libc.func('int connect(int, void *, uint32_t)');
const sendmmsg = libc.func('int sendmmsg(int, void *, uint32_t, int)');

const isIPv6 = address.includes(':');
const target = Buffer.alloc(28);
target.writeUInt16LE(isIPv6 ? AF_INET6 : AF_INET, 0);
target.writeUInt16BE(Number(port), 2);
target.set(isIPv6 ? parseIPv6(address) : address.split('.').map(Number), isIPv6 ? 8 : 4);
const fd = socket(isIPv6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
if (connect(fd, target, isIPv6 ? 28 : 16) !== 0) throw new Error(`no route to ${address}`);

function parseIPv6(text) {
  const [head, tail = ''] = text.split('::').map((part) => part.split(':').filter(Boolean));
  const zeros = new Array(8 - head.length - tail.length).fill('0');
  const words = [...head, ...zeros, ...tail].map((word) => Number.parseInt(word, 16));
  return words.flatMap((word) => [word >> 8, word & 255]);
}

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
/** What could not be sent in time for longer than this is not made up for. */
const MAX_LATE_MS = 100;
const batch = Math.max(1, Math.min(BATCH, Math.round(Number(rate) / 100)));
const intervalMs = (batch / Number(rate)) * 1000;
const pause = new Int32Array(new SharedArrayBuffer(4));
let sent = 0;
for (let dueMs = performance.now(); sent < Number(count); dueMs += intervalMs) {
  const nowMs = performance.now();
  if (dueMs > nowMs) Atomics.wait(pause, 0, 0, dueMs - nowMs);
  dueMs = Math.max(dueMs, nowMs - MAX_LATE_MS);
  // A full device queue or a refused datagram: the next one may go.
  const taken = sendmmsg(fd, messages, Math.min(batch, Number(count) - sent), 0);
  if (taken > 0) sent += taken;
}
process.stdout.write(`${sent}\n`);
