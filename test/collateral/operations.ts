/**
 * What others do in the network namespace of a handle that holds packets.
 *
 * @module
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type OpenOptions, open } from '../../src/index.ts';
import { HandleProcess } from '../helpers/handle-process.ts';
import type { NetworkEnd } from '../helpers/namespaces.ts';
import { runNft, unregisterHook } from '../helpers/nft.ts';
import type { FATES } from './held.ts';

const OTHER = 'inbound and udp.DstPort == 1';
const OTHER_HOOK = 'outbound and udp.DstPort == 1';
/** The kernel takes a table away a moment after its socket. */
const MOMENT_MS = 200;
const KEY = 'handle';
const SECOND_KEY = 'second handle';

/** What is done while packets are held, after what was done before; undone at the end. */
export interface Operation {
  readonly by: 'the same process' | 'another process' | 'another program';
  readonly name: string;
  readonly fate: keyof typeof FATES;
  /** Before the handle opens. @returns what is done while it holds packets, and afterwards */
  prepare(end: NetworkEnd): Promise<{ act(): Promise<void>; end?(): Promise<void> }>;
}

const sameProcess = (name: string, act: (end: NetworkEnd) => Promise<void>): Operation => ({
  by: 'the same process',
  name,
  fate: 'arrive',
  prepare: async (end) => ({ act: () => act(end) }),
});

/** What a process does that has handles. */
interface Peer {
  readonly process: HandleProcess;
  open(options?: OpenOptions, filter?: string, key?: string): Promise<void>;
}

const anotherProcess = (
  name: string,
  fate: Operation['fate'],
  act: (peer: Peer) => Promise<unknown>,
  before: (peer: Peer) => Promise<unknown> = async () => {},
): Operation => ({
  by: 'another process',
  name,
  fate,
  prepare: async (end) => {
    const process = await HandleProcess.start();
    const peer: Peer = {
      process,
      open: async (options = {}, filter = OTHER, key = KEY) => {
        // Reflect handles are of the whole machine.
        const namespace = options.layer === 'reflect' ? {} : { namespace: end.path };
        await process.open(key, filter, { ...namespace, ...options } as OpenOptions);
      },
    };
    await before(peer);
    return {
      act: async () => {
        await act(peer);
        await sleep(MOMENT_MS);
      },
      end: async () => {
        await process.kill();
        await sleep(MOMENT_MS);
      },
    };
  },
});

const anotherProgram = (
  name: string,
  fate: Operation['fate'],
  act: (end: NetworkEnd) => Promise<unknown>,
  before: (end: NetworkEnd) => Promise<unknown> = async () => {},
  after: (end: NetworkEnd) => Promise<unknown> = async () => {},
): Operation => ({
  by: 'another program',
  name,
  fate,
  prepare: async (end) => {
    await before(end);
    return {
      act: async () => {
        await act(end);
      },
      end: async () => {
        await after(end);
      },
    };
  },
});

const LOW: OpenOptions = { priority: -10 };
const openLow = (peer: Peer): Promise<void> => peer.open(LOW);

async function openAndClose(end: NetworkEnd, options: OpenOptions): Promise<void> {
  const filter = options.layer === undefined ? OTHER : 'true';
  await (await open(filter, { namespace: end.path, ...options } as OpenOptions)).close();
}

const SAME_PROCESS: readonly Operation[] = [
  sameProcess('opens and closes a handle of a higher priority', (end) =>
    openAndClose(end, { priority: 10 }),
  ),
  sameProcess('opens and closes a handle of the same priority', (end) => openAndClose(end, {})),
  sameProcess('opens and closes a handle of a lower priority', (end) => openAndClose(end, LOW)),
  sameProcess("opens and closes a handle with mode 'sniff'", (end) =>
    openAndClose(end, { mode: 'sniff' }),
  ),
  sameProcess("opens and closes a handle with mode 'drop'", (end) =>
    openAndClose(end, { mode: 'drop' }),
  ),
  sameProcess('opens and closes a handle on the forward layer', (end) =>
    openAndClose(end, { layer: 'forward' }),
  ),
  sameProcess('opens and closes a handle with fragments', (end) =>
    openAndClose(end, { fragments: true }),
  ),
  sameProcess('changes a filter, also to another hook', async (end) => {
    const handle = await open(OTHER, { namespace: end.path });
    await handle.setFilter('inbound and udp.DstPort == 2');
    await handle.setFilter(OTHER_HOOK);
    await handle.close();
  }),
];

/** What a process has open that is killed. */
const killed = (name: string, fate: Operation['fate'], options: OpenOptions): Operation =>
  anotherProcess(
    `is killed (kill -9), with a handle ${name}`,
    fate,
    ({ process }) => process.kill(),
    (peer) => peer.open(options, options.layer === undefined ? OTHER : 'true'),
  );

const ANOTHER_PROCESS: readonly Operation[] = [
  anotherProcess('opens a handle of a lower priority', 'arrive', openLow),
  anotherProcess('opens a handle of a higher priority', 'come twice', (peer) =>
    peer.open({ priority: 10 }),
  ),
  anotherProcess("opens a handle with mode 'drop'", 'arrive', (peer) =>
    peer.open({ ...LOW, mode: 'drop' }),
  ),
  anotherProcess("opens a handle with mode 'sniff'", 'arrive', (peer) =>
    peer.open({ ...LOW, mode: 'sniff' }),
  ),
  anotherProcess('opens a handle on the forward layer', 'arrive', (peer) =>
    peer.open({ layer: 'forward' }, 'true'),
  ),
  anotherProcess('opens a handle on the flow layer', 'arrive', (peer) =>
    peer.open({ layer: 'flow', mode: 'sniff', access: 'receive' }, 'true'),
  ),
  anotherProcess(
    'changes a filter',
    'arrive',
    ({ process }) => process.setFilter(KEY, 'inbound and udp.DstPort == 2'),
    openLow,
  ),
  anotherProcess(
    'changes a filter to another hook',
    'arrive',
    ({ process }) => process.setFilter(KEY, OTHER_HOOK),
    openLow,
  ),
  anotherProcess(
    'closes one handle of two',
    'arrive',
    ({ process }) => process.close(KEY),
    async (peer) => {
      await peer.open(LOW);
      await peer.open({ priority: -20 }, OTHER, SECOND_KEY);
    },
  ),
  anotherProcess(
    'closes its only handle, and goes on',
    'arrive',
    ({ process }) => process.close(KEY),
    openLow,
  ),
  anotherProcess(
    'closes its only handle, and ends',
    'are lost',
    async ({ process }) => {
      await process.close(KEY);
      process.child.stdin?.end();
    },
    openLow,
  ),
  anotherProcess(
    'ends that closed its only handle before',
    'arrive',
    async ({ process }) => process.child.stdin?.end(),
    async (peer) => {
      await peer.open(LOW);
      await peer.process.close(KEY);
    },
  ),
  killed('of a lower priority', 'are lost', LOW),
  killed("with mode 'drop'", 'are lost', { ...LOW, mode: 'drop' }),
  killed("with mode 'sniff'", 'are lost', { ...LOW, mode: 'sniff' }),
  killed('on the forward layer', 'are lost', { layer: 'forward' }),
  killed('on the flow layer', 'arrive', { layer: 'flow', mode: 'sniff', access: 'receive' }),
  killed('on the socket layer', 'arrive', { layer: 'socket', mode: 'sniff', access: 'receive' }),
  killed('on the reflect layer', 'arrive', { layer: 'reflect', mode: 'sniff', access: 'receive' }),
];

const nft = (script: string) => (end: NetworkEnd) => runNft(end, script);
const TABLE = 'table inet another';
const CHAIN = 'chain c { type filter hook input priority 0; }';

const ANOTHER_PROGRAM: readonly Operation[] = [
  anotherProgram(
    'adds a table with a base chain',
    'arrive',
    nft(`${TABLE} { ${CHAIN}; }`),
    undefined,
    nft(`delete ${TABLE}`),
  ),
  anotherProgram(
    'adds and deletes a rule',
    'arrive',
    nft('add rule inet another c counter\nflush chain inet another c'),
    nft(`${TABLE} { ${CHAIN}; }`),
    nft(`delete ${TABLE}`),
  ),
  anotherProgram('deletes a base chain', 'are lost', unregisterHook),
  anotherProgram(
    'loads its rules anew (nft -f, flush and add in one)',
    'are lost',
    nft(`delete ${TABLE}\n${TABLE} { ${CHAIN}; }`),
    nft(`${TABLE} { ${CHAIN}; }`),
    nft(`delete ${TABLE}`),
  ),
  anotherProgram(
    'empties its rules (nft flush ruleset)',
    'are lost',
    nft('flush ruleset'),
    nft(`${TABLE} { ${CHAIN}; }`),
  ),
  anotherProgram(
    'deletes a chain at the ingress of a device',
    'are lost',
    nft('delete table netdev another'),
    nft('table netdev another { chain c { type filter hook ingress device lo priority 0; }; }'),
  ),
  anotherProgram(
    'deletes the last rule that needs conntrack',
    'are lost',
    nft('flush chain inet another c'),
    nft(`${TABLE} { ${CHAIN}; }\nadd rule inet another c ct state new counter`),
    nft(`delete ${TABLE}`),
  ),
  anotherProgram(
    'adds and deletes a rule of iptables in a chain that is there',
    'arrive',
    async (end) => {
      await end.exec('iptables-nft', ['-A', 'INPUT', '-p', 'udp', '--dport', '1', '-j', 'DROP']);
      await end.exec('iptables-nft', ['-D', 'INPUT', '-p', 'udp', '--dport', '1', '-j', 'DROP']);
    },
    (end) => end.exec('iptables-nft', ['-P', 'INPUT', 'ACCEPT']),
    nft('delete table ip filter'),
  ),
];

export const OPERATIONS: readonly Operation[] = [
  ...SAME_PROCESS,
  ...ANOTHER_PROCESS,
  ...ANOTHER_PROGRAM,
];
