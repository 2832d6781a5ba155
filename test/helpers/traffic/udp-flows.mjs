// Sends `rounds` datagrams from each of `flows` sockets in turn: flow, round, and a zero byte, as 32, 32 and 8 bits.
// Arguments: address, port, flows, rounds, gapMs between rounds.
import dgram from 'node:dgram';
import { setTimeout as sleep } from 'node:timers/promises';

const [address, port, flows, rounds, gapMs] = process.argv.slice(2);
const PATIENCE = Number(process.env.PATIENCE ?? 1);
const type = address.includes(':') ? 'udp6' : 'udp4';
const sockets = await Promise.all(
  Array.from({ length: Number(flows) }, async () => {
    const socket = dgram.createSocket(type);
    await new Promise((resolve) => socket.connect(Number(port), address, resolve));
    socket.on('error', () => {});
    return socket;
  }),
);
for (let round = 0; round < Number(rounds); round++) {
  await Promise.all(
    sockets.map((socket, flow) => {
      const bytes = Buffer.alloc(9);
      bytes.writeUInt32BE(flow, 0);
      bytes.writeUInt32BE(round, 4);
      return new Promise((resolve) => socket.send(bytes, resolve));
    }),
  );
  // A slow receiver's buffer holds a round.
  await sleep(Number(gapMs) * PATIENCE ** 2);
}
for (const socket of sockets) socket.close();
