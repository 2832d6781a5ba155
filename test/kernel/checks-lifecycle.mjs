/** Checks of opening, of packets that wait, and of what is left afterwards. */

import { deepEqual, equal, ok } from 'node:assert/strict';
import { open } from '../../dist/index.js';
import { check, until } from './check.mjs';
import { PATIENT } from './checks-traffic.mjs';
import { leftOf, programsOf } from './kernel-objects.mjs';
import { receiveDatagrams, sendDatagrams, startDiverting } from './traffic.mjs';

const PORT = 6000;
const FILTER = `inbound and udp.DstPort == ${PORT}`;
const HELD = 150;

/** The first handle on a fresh kernel: every module has to come by itself. */
export function checkOpening({ server }) {
  return check('a handle opens, with no module loaded before', async () => {
    const handle = await open(FILTER, { namespace: server.path });
    const { length } = await leftOf(process.pid, [server]);
    await handle.close();
    ok(length >= 3, 'a table, a queue and a program exist while it is open');
  });
}

/** Kernels before 5.12: a refusal that says what is missing. */
export function checkRefusal({ server }) {
  return check('a handle is refused: the kernel is older than 5.12', async () => {
    const error = await open(FILTER, { namespace: server.path }).then(
      () => new Error('it opened'),
      (reason) => reason,
    );
    equal(error.name, 'UnsupportedError', error.message);
    deepEqual({ code: error.code, since: error.since }, { code: 'unsupported', since: '5.12' });
    deepEqual(await leftOf(process.pid, [server]), []);
    return error.message.replaceAll('\n', ' ');
  });
}

/** The kernel keeps a queued packet's place by number: others that come and go must not cost it. */
async function holdWhileOthersChange({ client, server }) {
  const options = { ...PATIENT, namespace: server.path };
  const received = await receiveDatagrams(server, server.ipv4, PORT, HELD);
  const handle = await open(FILTER, options);
  await sendDatagrams(client, server.ipv4, PORT, HELD);
  await until(`${HELD} packets received`, () => handle.stats().received === HELD);
  for (let priority = 0; priority < 5; priority++) {
    const other = await open(FILTER, { ...options, priority });
    await other.setFilter('inbound and tcp');
    await other.close();
  }
  for (let count = 0; count < HELD; count++) handle.send(await handle.receive());
  equal((await received()).length, HELD, 'datagrams that arrived');
  await handle.close();
}

async function passWhatWaits({ client, server }) {
  const received = await receiveDatagrams(server, server.ipv4, PORT, HELD);
  const handle = await open(FILTER, { ...PATIENT, namespace: server.path });
  await sendDatagrams(client, server.ipv4, PORT, HELD);
  await until(`${HELD} packets received`, () => handle.stats().received === HELD);
  await handle.close();
  equal((await received()).length, HELD, 'datagrams that arrived');
}

async function leaveNothing({ client, router, server }) {
  const ends = [client, router, server];
  for (let count = 0; count < 20; count++) {
    const handles = await Promise.all(ends.map(({ path }) => open('udp', { namespace: path })));
    await Promise.all(handles.map((handle) => handle.close()));
  }
  await until('programs are gone', () => programsOf(process.pid).length === 0);
  deepEqual(await leftOf(process.pid, ends), [], 'tables, queues and programs that are left');
}

/** kill -9 with traffic running: the kernel cleans up and traffic flows again. */
async function killUnderLoad({ client, server }) {
  const diverting = await startDiverting(server, FILTER.replace('inbound and ', ''));
  const { pid } = diverting.child;
  const sending = sendDatagrams(client, server.ipv4, PORT, 1000);
  await until('it diverts', async () => (await queued(server)) > 50);
  ok(programsOf(pid).length > 0, 'its programs are in the kernel');
  diverting.child.kill('SIGKILL');
  await diverting.output;
  await sending;
  const received = await receiveDatagrams(server, server.ipv4, PORT, 100);
  await sendDatagrams(client, server.ipv4, PORT, 100);
  equal((await received()).length, 100, 'datagrams that arrive afterwards');
  await until('programs are gone', () => programsOf(pid).length === 0);
  deepEqual(await leftOf(pid, [server]), [], 'tables, queues and programs that are left');
}

/** Packets ever queued in a namespace. */
async function queued(end) {
  const lines = await end.run('cat', '/proc/net/netfilter/nfnetlink_queue');
  return Number(lines.trim().split(/\s+/)[7] ?? 0);
}

export async function checkLifecycle(network) {
  await check('packets that wait survive other handles', () => holdWhileOthersChange(network));
  await check('close lets what waits go on', () => passWhatWaits(network));
  await check('close leaves no table, queue or program', () => leaveNothing(network));
  await check('kill -9 under load leaves nothing', () => killUnderLoad(network));
}
