// One connection to each of `count` ports from `port` on, all at once.
// Arguments: 'send', address, port, count, bytes: writes so many bytes to each, and stays.
//            'receive', address, port, count, idleMs: when nothing came for so long, prints for each
//            what came as a line of base64. Says "ready" first.
import net from 'node:net';

const [role, address, port, count, number] = process.argv.slice(2);
const ports = Array.from({ length: Number(count) }, (_, index) => Number(port) + index);

if (role === 'send') {
  for (const one of ports) {
    const socket = net.connect(one, address, () => socket.write(Buffer.alloc(Number(number), 1)));
    socket.setNoDelay();
    socket.on('error', () => {});
  }
  process.stdout.write('ready\n');
} else {
  const received = ports.map(() => []);
  const finish = () => {
    process.stdout.write(
      received.map((all) => `${Buffer.concat(all).toString('base64')}\n`).join(''),
    );
    process.exit();
  };
  let timer;
  const listening = ports.map(
    (one, index) =>
      new Promise((resolve) => {
        const server = net.createServer((socket) => {
          socket.on('error', () => {});
          socket.on('data', (chunk) => {
            received[index].push(chunk);
            clearTimeout(timer);
            timer = setTimeout(finish, Number(number));
          });
        });
        server.listen(one, address, resolve);
      }),
  );
  await Promise.all(listening);
  process.stdout.write('ready\n');
  timer = setTimeout(finish, 10_000);
}
