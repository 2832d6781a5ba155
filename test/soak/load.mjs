/** Traffic of all kinds from the client through the router to the server, and on its loopback. */

import { fileURLToPath } from 'node:url';

const script = (name) => fileURLToPath(new URL(`../helpers/traffic/${name}.mjs`, import.meta.url));
const FOREVER = 1e12;

export const PORT = { main: 7000, ipv6: 7001, tcp: 6999, loopback: 7003, dropped: 7004 };
/** Where the soak itself injects to. */
export const INJECTED = { outbound: 7105, inbound: 7106 };

/** Starts a traffic script; resolves when it says "ready". */
export function start(end, name, ...args) {
  const child = end.start(process.execPath, script(name), ...args);
  let text = '';
  const ended = new Promise((resolve) => child.once('close', () => resolve(text)));
  return new Promise((resolve, reject) => {
    child.stderr.on('data', (chunk) => reject(new Error(String(chunk))));
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (text.includes('ready\n')) resolve({ child, ended });
    });
    ended.then(() => reject(new Error(`${name} ended: ${text}`)));
  });
}

export class Load {
  #network;
  #senders = [];

  /** @param network `{ client, router, server }` */
  constructor(network) {
    this.#network = network;
  }

  /** @param rate datagrams per second of the main flow; the others are small beside it */
  async start(rate) {
    const { client, server } = this.#network;
    const small = Math.min(2000, rate / 8);
    const sinks = [
      [server.ipv4, PORT.main],
      ['127.0.0.1', PORT.loopback],
    ];
    for (const [address, port] of sinks) await start(server, 'udp-sink', address, port);
    const flows = [
      [client, server.ipv4, PORT.main, rate],
      [client, server.ipv6, PORT.ipv6, small],
      [client, server.ipv4, PORT.dropped, small],
      [server, '127.0.0.1', PORT.loopback, small],
    ];
    for (const [end, address, port, perSecond] of flows) {
      this.#senders.push(await start(end, 'udp-flood', address, port, FOREVER, 36, perSecond));
    }
  }

  /** One connection's worth of bytes; throws when they do not arrive as they were sent. */
  async transfer(bytes) {
    const { client, server } = this.#network;
    const receiver = await start(server, 'tcp-receive', server.ipv4, PORT.tcp, 0);
    const sent = await client.run(
      process.execPath,
      script('tcp-send'),
      server.ipv4,
      PORT.tcp,
      bytes,
    );
    const arrived = (await receiver.ended).replace('ready\n', '');
    if (arrived !== sent) throw new Error(`TCP: sent ${sent} arrived ${arrived}`);
  }

  pause() {
    for (const { child } of this.#senders) child.kill('SIGSTOP');
  }

  resume() {
    for (const { child } of this.#senders) child.kill('SIGCONT');
  }
}
