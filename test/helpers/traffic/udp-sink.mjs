// Takes datagrams and forgets them until it is killed. Arguments: address, port. Says "ready" first.
import dgram from 'node:dgram';

const [address, port] = process.argv.slice(2);
const socket = dgram.createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
socket.on('message', () => {});
socket.bind(Number(port), address, () => process.stdout.write('ready\n'));
