/**
 * A handle that holds packets, and what becomes of them.
 *
 * @module
 */
import { type NetworkHandle, open, type Packet } from '../../src/index.ts';
import type { NetworkEnd } from '../helpers/namespaces.ts';
import { type Running, runScript, startScript } from '../helpers/traffic.ts';

const PORT = 6400;
/** Packets that are held. */
export const COUNT = 150;
/** One more, behind all of them: the receiver need not wait for what was lost. */
const LAST_LENGTH = COUNT + 1;
/** Nothing comes: something is wrong. */
const LIMIT_MS = 20_000;

export interface Held {
  readonly handle: NetworkHandle;
  readonly packets: Packet[];
  readonly receiver: Running;
  sendLast(): Promise<unknown>;
}

/** A handle that holds packets, and somebody who waits for them. */
export async function holdPackets(from: NetworkEnd, to: NetworkEnd): Promise<Held> {
  const receiver = await startScript(to, 'udp-receive', [
    to.ipv4,
    PORT,
    2 * COUNT,
    LIMIT_MS,
    LIMIT_MS,
    LAST_LENGTH,
  ]);
  const handle = await open(`inbound and udp.DstPort == ${PORT}`, { namespace: to.path });
  await runScript(from, 'udp-send', [to.ipv4, PORT, 1, COUNT]);
  const packets: Packet[] = [];
  while (packets.length < COUNT) {
    const packet = await handle.receive();
    if (packet) packets.push(packet.retain());
  }
  const sendLast = (): Promise<unknown> =>
    runScript(from, 'udp-send', [to.ipv4, PORT, LAST_LENGTH, LAST_LENGTH]);
  return { handle, packets, receiver, sendLast };
}

/** What became of them. */
export interface Fate {
  /** At the receiver. */
  readonly arrived: number;
  /** What the handle says. */
  readonly sent: number;
  readonly late: number;
  /** Came to the handle once more. */
  readonly again: number;
}

/** Sends them, and those that come again. */
export async function sendAll({ handle, packets, receiver, sendLast }: Held): Promise<Fate> {
  for (const packet of packets) handle.send(packet);
  await handle.flush();
  const repeated = (async () => {
    for await (const packet of handle) handle.send(packet);
  })();
  await sendLast();
  const arrived = (await receiver.output).split('\n').filter(Boolean).length - 1;
  await handle.close();
  await repeated;
  const { sent, lost, received } = handle.stats();
  return { arrived, sent: sent - 1, late: lost.lateVerdict, again: received - COUNT - 1 };
}

/** What is expected: nothing happens, all are lost, or all come twice. */
export const FATES: Record<'arrive' | 'are lost' | 'come twice', Fate> = {
  arrive: { arrived: COUNT, sent: COUNT, late: 0, again: 0 },
  'are lost': { arrived: 0, sent: 0, late: COUNT, again: 0 },
  'come twice': { arrived: COUNT, sent: 2 * COUNT, late: 0, again: COUNT },
};
