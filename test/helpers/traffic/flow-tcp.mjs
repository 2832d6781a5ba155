// One TCP connection that reports its own end. Arguments: server | client, address, port, and how the
// client ends it: end | reset | hold. Says "ready" when it listens or is connected, then its end as JSON.
import net from 'node:net';

const [role, host, port, how = 'end'] = process.argv.slice(2);
const say = (text) => process.stdout.write(`${text}\n`);
const report = ({ localAddress, localPort, remoteAddress, remotePort }) =>
  say(JSON.stringify({ pid: process.pid, localAddress, localPort, remoteAddress, remotePort }));

if (role === 'server') {
  const server = net.createServer((socket) => {
    report(socket);
    socket.on('data', (data) => socket.write(data));
    socket.on('error', () => {});
    socket.on('close', () => server.close());
  });
  server.listen(Number(port), host, () => say('ready'));
} else {
  const socket = net.connect(Number(port), host, () => {
    say('ready');
    report(socket);
    socket.write('x');
  });
  socket.on('error', (error) => say(error.code));
  socket.on('data', () => {
    if (how === 'end') socket.end();
    if (how === 'reset') socket.resetAndDestroy();
  });
}
