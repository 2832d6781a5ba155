/**
 * Programs that send, change, keep, drop and forget packets as chance has it, under floods of any size.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { NetworkHandle, OpenOptions, Packet } from '../../src/index.ts';
import type { Random } from '../helpers/random.ts';
import { blockEventLoop, type Overload } from './overload.ts';

const PAYLOADS = [1, 36, 500, 1400] as const;
const KEPT_MOST = 500;

/** What a program does with a packet, in percent. */
interface Habits {
  readonly send: number;
  readonly change: number;
  readonly drop: number;
  /** Dropped later. */
  readonly keep: number;
  /** For every batch of several packets, milliseconds. */
  readonly computesMs: number;
  readonly batch: number;
}

export function randomOverload(random: Random): Overload {
  const options: OpenOptions = {
    queueLength: random.pick([32, 255, 4096, 16_384]),
    queueTimeMs: random.pick([100, 500, 2000, 16_000]),
    queueSizeBytes: random.pick([65_535, 1 << 20, 4 << 20, 32 << 20]),
    onOverload: random.pick(['drop', 'pass'] as const),
    unhandled: random.pick(['drop', 'pass'] as const),
    onExit: random.pick(['drop', 'pass'] as const),
  };
  const batch = random.pick([1, 16, 255]);
  const habits: Habits = {
    send: random.between(0, 100),
    change: random.between(0, 20),
    drop: random.between(0, 20),
    keep: random.between(0, 20),
    computesMs: batch === 1 ? 0 : random.pick([0, 0, 1, 5]),
    batch,
  };
  const isBlocked = random.chance(20);
  return {
    name: `seed ${random.seed}`,
    options,
    count: random.between(1000, isBlocked ? 120_000 : 30_000),
    length: random.pick(PAYLOADS),
    consume: (handle) => consume(handle, habits, random),
    ...(isBlocked ? { blocked: true as const } : {}),
    expected: () => {},
  };
}

async function consume(handle: NetworkHandle, habits: Habits, random: Random): Promise<void> {
  const kept: Packet[] = [];
  for await (const batch of handle.batches(habits.batch)) {
    for (const packet of batch) decide(handle, packet, kept, habits, random);
    while (kept.length > KEPT_MOST) dropKept(handle, kept);
    if (habits.computesMs > 0) blockEventLoop(habits.computesMs);
    if (random.chance(1)) await sleep(5);
  }
}

/** None of it: the packet is forgotten. */
function decide(
  handle: NetworkHandle,
  packet: Packet,
  kept: Packet[],
  { send, change, drop, keep }: Habits,
  random: Random,
): void {
  if (random.chance(keep)) {
    kept.push(packet.retain());
  } else if (random.chance(drop)) {
    handle.drop(packet);
  } else if (random.chance(send)) {
    if (random.chance(change)) packet.payload = new Uint8Array(random.between(0, 100));
    handle.send(packet);
  }
}

/** Unless it was given up meanwhile. */
function dropKept(handle: NetworkHandle, kept: Packet[]): void {
  const packet = kept.shift();
  if (!packet) return;
  try {
    handle.drop(packet);
  } catch (error) {
    if ((error as { code?: string }).code !== 'stale-packet') throw error;
  }
}
