// A transparent proxy: asks its parent (IPC) where each client wanted to go, connects there and
// carries bytes both ways. Arguments: port, address to listen on. Says "ready" by message.
// Reports each connection that ended: { to, up, down } with the bytes in each direction.
import net from 'node:net';

const [port, address] = process.argv.slice(2);
const asked = new Map();
process.on('message', ({ id, to }) => asked.get(id)?.(to));
let next = 0;

function whereTo(socket) {
  const id = next++;
  process.send({ ask: { id, address: socket.remoteAddress, port: socket.remotePort } });
  return new Promise((resolve) => asked.set(id, resolve));
}

const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, async (socket) => {
  const to = await whereTo(socket);
  socket.on('error', () => {});
  if (!to) {
    socket.end('no original destination\n');
    process.send({ done: { to } });
    return;
  }
  const upstream = net.connect({ host: to.address, port: to.port, allowHalfOpen: true });
  upstream.on('error', () => socket.destroy());
  let open = 2;
  const end = () => {
    if (--open > 0) return;
    process.send({ done: { to, up: socket.bytesRead, down: upstream.bytesRead } });
  };
  socket.on('close', end);
  upstream.on('close', end);
  socket.pipe(upstream);
  upstream.pipe(socket);
});
server.listen(Number(port), address || undefined, () => process.send({ ready: true }));
