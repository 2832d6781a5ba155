/** Traffic of the C programs. */

import type { Arena } from './arena.ts';
import { binary, compile } from './native.ts';
import { type Command, type Program, TRAFFIC_CPU } from './program.ts';

const PORT = '9000';
const SENDER_NICE = 10;

/** What `udp-flood` prints. */
export interface Sent {
  readonly sent: number;
  readonly errors: number;
  readonly seconds: number;
  /** Its processor time, with what the kernel did for it: the way through the network stack too. */
  readonly cpuSeconds: number;
}

/** What `udp-sink` prints. */
export interface Received {
  readonly received: number;
  readonly changed: number;
}

export interface Flood {
  /** Bytes of payload. */
  readonly size: number;
  readonly seconds: number;
  /** Packets a second; as fast as it goes without. */
  readonly rate?: number;
  /** Datagrams in one call, cut up by the kernel. */
  readonly train?: number;
  /** Stops after so many. */
  readonly count?: number;
  /** From so many ports. */
  readonly flows?: number;
}

/** @returns why traffic cannot be made here */
export function missingSenders(): string {
  return compile('udp-flood') || compile('udp-sink') || compile('udp-echo');
}

/** Sends from `a` to the sink's port in `b`. */
export function flood(
  arena: Arena,
  { size, seconds, rate, train, count, flows }: Flood,
): Promise<Sent> {
  const option = (name: string, value: number | undefined): string[] =>
    value === undefined ? [] : [name, `${value}`];
  const args = [
    ...['-d', arena.b.ipv4, '-s', `${size}`, '-t', `${seconds}`],
    ...[...option('-r', rate), ...option('-g', train), ...option('-n', count)],
    ...option('-f', flows),
  ];
  const command: Command = {
    file: binary('udp-flood'),
    args,
    cpu: TRAFFIC_CPU,
    nice: SENDER_NICE,
  };
  return arena.run<Sent>(arena.a, command, (seconds + 20) * 1000);
}

/** Starts the counting receiver in `b`. */
export function startSink(arena: Arena): Promise<Program> {
  return arena.start(arena.b, { file: binary('udp-sink'), args: [PORT], cpu: TRAFFIC_CPU });
}

/** Stops the receiver and asks what it got. */
export async function stopSink(sink: Program): Promise<Received> {
  await sink.stop();
  return sink.result<Received>();
}
