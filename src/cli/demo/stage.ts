import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { type NetworkHandle, open, type Packet, type Stats } from '../../index.ts';
import { print, type Style, styleFor } from '../output.ts';
import type { ClientRequest, ClientResponse } from './client.ts';
import { PORTS } from './hosts.ts';
import type { DemoNetwork } from './network.ts';
import type { Scene } from './scenes.ts';

/** Between two things that happen, for people to read along. */
const PAUSE_MS = 500;
const TIMEOUT_MS = 2500;

/** Where the live demo plays: the network, the audience and what they see. */
export class Stage {
  readonly #network: DemoNetwork;
  readonly #signal: AbortSignal;
  readonly style: Style = styleFor(process.stdout);

  constructor(network: DemoNetwork, signal: AbortSignal) {
    this.#network = network;
    this.#signal = signal;
  }

  /** Announces a scene. */
  async introduce(number: number, { title, filter, action }: Scene): Promise<void> {
    await this.pause();
    print();
    print(this.style('bold', `${number}. ${title}`));
    print(`   filter  ${this.style('cyan', filter)}`);
    print(`   action  ${action}`);
  }

  /** Has the client make a request and shows what it got. */
  async ask(host: string, request: Partial<ClientRequest> = {}): Promise<ClientResponse> {
    await this.pause();
    const { process: client } = this.#network.client;
    const answered = once(client, 'message', { signal: this.#signal });
    client.send({ host, path: '/', port: PORTS.WEB, timeoutMs: TIMEOUT_MS, ...request });
    const [response] = (await answered) as [ClientResponse];
    const what = response.status === null ? 'red' : 'green';
    const status =
      response.status === null ? response.body : `${response.status} "${response.body}"`;
    const time = this.style('dim', `${response.elapsedMs.toFixed(0)} ms`);
    print(`   client  ${host}: ${this.style(what, status)} ${time}`);
    return response;
  }

  /** Shows what the handle did. */
  tellHandled(text: string): void {
    print(`   handle  ${this.style('yellow', text)}`);
  }

  /**
   * Opens a handle where the client is, decides about its packets with `decide`, and closes it when
   * `during` is done.
   */
  async intercept(
    filter: string,
    decide: (packet: Packet, handle: NetworkHandle) => void,
    during: () => Promise<void>,
  ): Promise<Stats> {
    const { namespace } = this.#network.client;
    const handle = await open(filter, { namespace, signal: this.#signal });
    const loop = (async () => {
      for await (const packet of handle) decide(packet, handle);
    })();
    // Seen below, after the client has its answer or has given up.
    loop.catch(() => {});
    try {
      await during();
      // Nothing new is taken any more; what was taken is still decided about.
      handle.shutdown('receive');
      await loop;
    } finally {
      await handle.close();
    }
    const stats = handle.stats();
    this.#tellCounters(stats);
    return stats;
  }

  async pause(): Promise<void> {
    await sleep(PAUSE_MS, undefined, { signal: this.#signal });
  }

  #tellCounters({ received, sent, dropped, lost }: Stats): void {
    const counters = `${received} matched, ${sent} sent on, ${dropped} dropped, ${lost.total} lost`;
    print(`   counts  ${this.style('dim', counters)}`);
  }
}
