/**
 * A proxy in a namespace, which is told by the test where its clients wanted to go.
 *
 * @module
 */
import type { Endpoint, Redirection } from '../../src/index.ts';
import type { NetworkEnd } from './namespaces.ts';
import { scriptPath } from './traffic.ts';

/** A connection that went through it and ended. */
export interface Carried {
  readonly to: Endpoint | null;
  /** Bytes from the client, and from the server. */
  readonly up: number;
  readonly down: number;
}

export interface TcpProxy {
  readonly carried: Carried[];
  /** Clients that it asked about. */
  readonly clients: Endpoint[];
  /** Whom it asks. */
  redirection: Redirection | undefined;
  close(): Promise<void>;
}

interface Message {
  ready?: true;
  ask?: Endpoint & { id: number };
  done?: Carried;
}

/** Starts the proxy and waits until it listens. */
export async function startProxy(
  end: Pick<NetworkEnd, 'spawn'>,
  port: number,
  address = '',
): Promise<TcpProxy> {
  const child = end.spawn(process.execPath, [scriptPath('tcp-proxy'), String(port), address], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const proxy: TcpProxy = {
    carried: [],
    clients: [],
    redirection: undefined,
    close: async () => {
      child.kill();
      await ended;
    },
  };
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error('the proxy ended')));
    child.on('message', ({ ready, ask, done }: Message) => {
      if (ready) resolve();
      if (done) proxy.carried.push(done);
      if (!ask) return;
      proxy.clients.push({ address: ask.address, port: ask.port });
      const to = proxy.redirection?.originalDestination(ask.address, ask.port) ?? null;
      child.send({ id: ask.id, to });
    });
  });
  return proxy;
}
