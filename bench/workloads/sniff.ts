/** Copies of a flood that is dropped behind the sniffer. */

import { inArena, sleep } from '../harness/arena.ts';
import { program } from '../harness/folders.ts';
import { binary, compile } from '../harness/native.ts';
import type { Command } from '../harness/program.ts';
import { flood, missingSenders, type Sent } from '../harness/senders.ts';
import type { BenchOptions, Contestant, Figures, Workload } from '../harness/workload.ts';

const SECONDS = 2;
/** Not counted: caches and compilers warm up. */
const WARM_UP_SECONDS = 0.5;
const SECONDS_ONCE = 0.1;
/** libpcap looks at its ring every 100 ms. */
const DRAIN_MS = 700;
const DRAIN_MS_ONCE = 250;
const HEADER_BYTES = 96;
/** Behind every handle, in front of the socket. */
const DROP = '-A INPUT -p udp -j DROP';

/** What both print at the end. */
interface Captured {
  readonly captured: number;
}

/** Processor time of a packet at the sender, microseconds: copies are made there. */
const senderCost = ({ cpuSeconds, sent }: Sent): number => (1e6 * cpuSeconds) / sent;

async function runSniff(
  command: Command,
  size: number,
  { once, seconds = SECONDS }: BenchOptions,
): Promise<Figures> {
  return inArena(async (arena) => {
    await arena.rules(DROP);
    const env = { ...command.env, INTERFACE: arena.b.interface };
    const tool = await arena.start(arena.b, { ...command, env });
    const warmUp = once ? 0 : (await flood(arena, { size, seconds: WARM_UP_SECONDS })).sent;
    await sleep(once ? DRAIN_MS_ONCE : DRAIN_MS);
    const before = tool.cpuTimeUs();
    const sent = await flood(arena, { size, seconds: once ? SECONDS_ONCE : seconds });
    await sleep(once ? DRAIN_MS_ONCE : DRAIN_MS);
    const used = tool.cpuTimeUs() - before;
    await tool.stop();
    const captured = (await tool.result<Captured>()).captured - warmUp;
    if (captured <= 0) throw new Error('captured nothing');
    return {
      captured: captured / sent.seconds / 1000,
      lost: 100 * (1 - captured / sent.sent),
      CPU: used / captured,
      sender: senderCost(sent),
    };
  });
}

async function runAlone(size: number, { once, seconds = SECONDS }: BenchOptions): Promise<Figures> {
  return inArena(async (arena) => {
    await arena.rules(DROP);
    const sent = await flood(arena, { size, seconds: once ? SECONDS_ONCE : seconds });
    return { captured: sent.sent / sent.seconds / 1000, sender: senderCost(sent) };
  });
}

function contestants(size: number, snapLength: number | undefined): Contestant[] {
  const env: Record<string, string> = snapLength === undefined ? {} : { SNAPLEN: `${snapLength}` };
  const own: Command = {
    file: process.execPath,
    args: [program('sniff')],
    env: { ...env, FILTER: 'inbound and udp' },
  };
  const pcap: Command = { file: binary('pcap-loop'), env: { ...env, FILTER: 'udp' } };
  return [
    { name: 'none (sent)', run: (options) => runAlone(size, options) },
    { name: 'netdivert', run: (options) => runSniff(own, size, options) },
    {
      name: 'C libpcap loop',
      missing: () => compile('pcap-loop', ['pcap']),
      run: (options) => runSniff(pcap, size, options),
    },
  ];
}

function workload(name: string, title: string, size: number, snapLength?: number): Workload {
  return {
    name,
    title,
    missing: missingSenders,
    baseline: 'C libpcap loop',
    measures: {
      captured: { unit: 'kpackets/s', digits: 0 },
      lost: { unit: '%', digits: 2, compared: false },
      CPU: { unit: 'us/packet', digits: 3 },
      sender: { unit: 'us/packet' },
    },
    contestants: contestants(size, snapLength),
  };
}

const HEADERS = `the first ${HEADER_BYTES} bytes`;

export const SNIFFS: readonly Workload[] = [
  workload('sniff64', 'Sniffing a UDP flood of 64 bytes, whole packets', 64),
  workload('sniff64-headers', `Sniffing 64 bytes, ${HEADERS}`, 64, HEADER_BYTES),
  workload('sniff1400', 'Sniffing 1400 bytes, whole packets', 1400),
  workload('sniff1400-headers', `Sniffing 1400 bytes, ${HEADERS}`, 1400, HEADER_BYTES),
];
