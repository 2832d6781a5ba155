/** Everything here that takes packets out, decides about them and puts them back. */

import type { Arena } from './arena.ts';
import { program, SOURCES } from './folders.ts';
import { binary, compile } from './native.ts';
import { installNetfilterQueue, installNfqueue, NPM_NFQUEUE, PYTHON } from './packages.ts';
import type { Command, Program } from './program.ts';
import type { BenchOptions, Contestant, Figures } from './workload.ts';

/** What packets are to be diverted, and what becomes of them. */
export interface Task {
  readonly protocol: 'udp' | 'tcp';
  /** Inbound only, or both ways. */
  readonly hooks: 'input' | 'both';
  /** 'modify': the first two words of the payload change places. */
  readonly mode?: 'accept' | 'modify';
  /** GSO super-packets whole. */
  readonly large?: boolean;
  readonly cpu?: number;
}

/** A program that does a task. */
export interface Diverter {
  readonly name: string;
  readonly missing?: () => string;
  readonly command: (task: Task) => Command | null;
  /** It reads queue 0 and needs a rule that sends packets there. */
  readonly needsRule?: boolean;
}

const LIBRARY = ['netfilter_queue'];

const environment = ({ mode = 'accept', large = false }: Task): Record<string, string> => ({
  MODE: mode,
  GSO: large ? '1' : '0',
  LARGE: large ? '1' : '0',
});

function queueReader(
  name: string,
  file: () => string,
  more: Partial<Diverter> & { args?: readonly string[]; env?: Readonly<Record<string, string>> },
): Diverter {
  const { args = [], env = {}, ...rest } = more;
  const command = (task: Task): Command => ({
    file: file(),
    args,
    env: { ...environment(task), ...env },
  });
  return { name, command, needsRule: true, ...rest };
}

function netdivert(name: string, env: Readonly<Record<string, string>> = {}): Diverter {
  const command = (task: Task): Command => ({
    file: process.execPath,
    args: [program('divert')],
    env: {
      ...environment(task),
      FILTER: task.hooks === 'input' ? `inbound and ${task.protocol}` : task.protocol,
      ...env,
    },
  });
  return { name, command };
}

/** No handle, no rule. */
export const NONE: Diverter = { name: 'none', command: () => null };
/** The batch path: `for await (const batch of handle.batches())`, `batch.send()`. */
export const NETDIVERT: Diverter = netdivert('netdivert');
/** The friendly path: `for await (const packet of handle)`, `handle.send(packet)`. */
export const NETDIVERT_PACKETS: Diverter = netdivert('netdivert, one by one', {
  PATH_KIND: 'packets',
});
/** The tuned C program. */
export const TUNED: Diverter = queueReader('C tuned', () => binary('nfq-tuned'), {
  missing: () => compile('nfq-tuned'),
});
/** The same with one verdict for all packets of a turn. */
export const TUNED_BATCH: Diverter = queueReader('C tuned, batch', () => binary('nfq-tuned'), {
  missing: () => compile('nfq-tuned'),
  env: { VERDICT: 'batch' },
});
/** libnetfilter_queue as its example uses it. */
export const PLAIN: Diverter = queueReader('C plain', () => binary('nfq-plain'), {
  missing: () => compile('nfq-plain', LIBRARY),
});
/** The same with a long queue and a large buffer. */
export const PLAIN_LONG: Diverter = queueReader('C plain, long queue', () => binary('nfq-plain'), {
  missing: () => compile('nfq-plain', LIBRARY),
  env: { TUNED: '1' },
});
export const NPM: Diverter = queueReader('npm nfqueue', () => process.execPath, {
  missing: installNfqueue,
  args: [program('nfqueue-npm'), NPM_NFQUEUE],
});
export const PYTHON_QUEUE: Diverter = queueReader('Python NetfilterQueue', () => PYTHON, {
  missing: installNetfilterQueue,
  args: [`${SOURCES}/programs/nfqueue.py`],
});

/**
 * Starts a diverter in `b`, with a rule if it needs one.
 *
 * @returns null for {@link NONE}
 */
export async function startDiverter(
  arena: Arena,
  diverter: Diverter,
  task: Task,
): Promise<Program | null> {
  const command = diverter.command(task);
  if (command === null) return null;
  const { cpu } = task;
  const tool = await arena.start(arena.b, cpu === undefined ? command : { ...command, cpu });
  if (diverter.needsRule) {
    const chains = task.hooks === 'both' ? ['INPUT', 'OUTPUT'] : ['INPUT'];
    const what = `-p ${task.protocol} -j NFQUEUE --queue-num 0`;
    await arena.rules(...chains.map((chain) => `-A ${chain} ${what}`));
  }
  return tool;
}

/** A contestant that runs a diverter. */
export function contestant(
  diverter: Diverter,
  run: (diverter: Diverter, options: BenchOptions) => Promise<Figures>,
  always = false,
): Contestant {
  const { name, missing } = diverter;
  return {
    name,
    always,
    missing: () => missing?.() ?? '',
    run: (options) => run(diverter, options),
  };
}
