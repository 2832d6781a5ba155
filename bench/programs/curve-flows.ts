/**
 * Counts new connections until asked to end, inside a namespace.
 *
 *   curve-flows.js flow|attribution PORT PORT
 */

import { open } from '../../src/index.ts';
import { report } from './measure.ts';
import { type MemoryUse, memoryUse } from './memory.ts';

const [, , kind, port, otherPort] = process.argv;
let memory: MemoryUse | undefined;
const controller = new AbortController();
const LAST_EVENTS_MS = 100;

process.once('SIGTERM', () => {
  // The last events may still be on their way.
  setTimeout(() => {
    memory = memoryUse();
    controller.abort();
  }, LAST_EVENTS_MS);
});
const { signal } = controller;
const begin = (): void => void process.stdout.write('READY\n');

/** Flows as they begin and end. */
async function followFlows(): Promise<Record<string, number>> {
  const handle = await open(`remotePort == ${port} or remotePort == ${otherPort}`, {
    layer: 'flow',
    signal,
  });
  begin();
  let established = 0;
  let deleted = 0;
  let unknown = 0;
  for await (const { event, processId } of handle) {
    if (event === 'established') established++;
    else deleted++;
    if (processId === 0) unknown++;
  }
  return { flows: established, deleted, unknown, lost: handle.stats().lost.total };
}

/** The process of each connection's first packet. */
async function askProcesses(): Promise<Record<string, number>> {
  const filter = `outbound and tcp.Syn and (tcp.DstPort == ${port} or tcp.DstPort == ${otherPort})`;
  const handle = await open(filter, { attribution: true, signal });
  begin();
  let flows = 0;
  let unknown = 0;
  for await (const batch of handle.batches()) {
    for (const packet of batch) {
      flows++;
      if (packet.process === null) unknown++;
    }
    batch.send();
  }
  return { flows, unknown, lost: handle.stats().lost.total };
}

const counted = kind === 'flow' ? await followFlows() : await askProcesses();
report({ ...counted, residentMb: memory?.residentMb ?? 0, mapsMb: memory?.mapsMb ?? 0 });
