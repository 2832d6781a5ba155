// One exchange of datagrams that reports its own end. Arguments: server | client, address, port, and what
// follows: close | hold. Says "ready" when it is bound or has its answer, then its end as JSON.
import dgram from 'node:dgram';

const [role, host, port, how = 'close'] = process.argv.slice(2);
const say = (text) => process.stdout.write(`${text}\n`);
const socket = dgram.createSocket(host.includes(':') ? 'udp6' : 'udp4');
const report = (remoteAddress, remotePort) => {
  const { address, port: localPort } = socket.address();
  const localAddress = address;
  say(JSON.stringify({ pid: process.pid, localAddress, localPort, remoteAddress, remotePort }));
  if (how === 'close') socket.close();
};

if (role === 'server') {
  socket.on('message', (message, { address, port: remotePort }) => {
    socket.send(message, remotePort, address, () => report(address, remotePort));
  });
  socket.bind(Number(port), host, () => say('ready'));
} else {
  socket.on('message', () => {
    say('ready');
    report(socket.remoteAddress().address, socket.remoteAddress().port);
  });
  socket.connect(Number(port), host, () => socket.send('x'));
}
