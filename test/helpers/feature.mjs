// Uses one feature as its user would and says "works", or the error's name, code and feature, and its hint.
// Argument: the feature.
import { createSocket } from 'node:dgram';
import { FilterSet, open } from 'netdivert';
import { listHandles } from '../../dist/linux/registry/list-handles.js';

const PORT = 5900;
const OTHER_PORT = 5901;
const FILTER = `udp.DstPort == ${PORT}`;

/** Sends a datagram to this host; the text that arrives. */
async function exchange(port = PORT) {
  const receiver = createSocket('udp4');
  await new Promise((resolve) => receiver.bind(port, '127.0.0.1', resolve));
  const arrived = new Promise((resolve) => receiver.once('message', resolve));
  receiver.send('before', PORT, '127.0.0.1');
  const text = String(await arrived);
  receiver.close();
  return text;
}

async function openAndClose(filter, options) {
  await (await open(filter, options)).close();
}

/** A new packet, put in from a copy of one that was seen. */
async function inject(outbound) {
  const handle = await open(FILTER);
  const sender = createSocket('udp4');
  const receiver = createSocket('udp4');
  await new Promise((resolve) => receiver.bind(OTHER_PORT, '127.0.0.1', resolve));
  const arrived = new Promise((resolve) => receiver.once('message', resolve));
  sender.send('copy', PORT, '127.0.0.1');
  const packet = (await handle.receive()).retain();
  const bytes = Uint8Array.from(packet.bytes);
  new DataView(bytes.buffer).setUint16(22, OTHER_PORT);
  const { interfaceIndex, loopback } = packet.address;
  handle.send(bytes, { outbound, loopback, interfaceIndex, udpChecksum: false });
  handle.drop(packet);
  await arrived;
  sender.close();
  receiver.close();
}

const features = {
  divert: async () => {
    const handle = await open(FILTER);
    const text = exchange();
    const packet = await handle.receive();
    packet.payload = Buffer.from('after');
    handle.send(packet);
    if ((await text) !== 'after') throw new Error('not changed');
  },
  forward: () => openAndClose(FILTER, { layer: 'forward' }),
  sniff: async () => {
    const handle = await open(FILTER, { mode: 'sniff' });
    await Promise.all([exchange(), handle.receive()]);
  },
  sets: async () => {
    const sets = { ports: new FilterSet([PORT, 1]), hosts: new FilterSet(['127.0.0.0/8', '::1']) };
    const filter = 'udp.DstPort in @ports and (remoteAddr in @hosts or ip.DstAddr in @hosts)';
    await openAndClose(filter, { dialect: 'extended', sets });
  },
  drop: () => openAndClose(FILTER, { mode: 'drop' }),
  'inject outbound': () => inject(true),
  'inject inbound': () => inject(false),
  attribution: async () => {
    const handle = await open(FILTER, { attribution: true });
    const text = exchange();
    const packet = await handle.receive();
    const known = packet.process?.processId === process.pid || packet.process?.pid === process.pid;
    handle.send(packet);
    await text;
    if (!known) throw new Error(`not known: ${JSON.stringify(packet.process)}`);
  },
  'process filter': () => openAndClose('processName == "nobody"', { dialect: 'extended' }),
  flow: () => openAndClose('true', { layer: 'flow', mode: 'sniff' }),
  'socket, sniffing': () => openAndClose('true', { layer: 'socket', mode: 'sniff' }),
  'socket, blocking': () => openAndClose('event == BIND and localPort == 1', { layer: 'socket' }),
  reflect: () => openAndClose('true', { layer: 'reflect', mode: 'sniff' }),
  'list of handles': () => void listHandles(),
  namespace: () => openAndClose(FILTER, { namespace: process.argv[3] }),
};

try {
  await features[process.argv[2]]();
  console.log('works');
} catch (error) {
  console.log(`${error.name} ${error.code} ${error.feature}: ${error.message} | ${error.hint}`);
}
process.exit();
