// A DNS server that knows every name: A 192.0.2.1, AAAA 2001:db8::1. Argument: address. Says "ready" first.
import dgram from 'node:dgram';

const TYPE_AAAA = 28;
const ADDRESSES = {
  1: [192, 0, 2, 1],
  [TYPE_AAAA]: [0x20, 1, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
};
const [address] = process.argv.slice(2);
const socket = dgram.createSocket('udp4');
socket.on('message', (query, { port, address: client }) => {
  let end = 12;
  while (query[end] !== 0) end += query[end] + 1;
  const question = query.subarray(12, end + 5);
  const type = query.readUInt16BE(end + 1);
  const data = ADDRESSES[type] ?? [];
  const head = [...query.subarray(0, 2), 0x81, 0x80, 0, 1, 0, data.length > 0 ? 1 : 0, 0, 0, 0, 0];
  const record = [0xc0, 12, 0, type, 0, 1, 0, 0, 0, 0, 0, data.length, ...data];
  socket.send(
    Buffer.from([...head, ...question, ...(data.length > 0 ? record : [])]),
    port,
    client,
  );
});
socket.bind(53, address, () => process.stdout.write('ready\n'));
