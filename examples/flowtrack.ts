// Prints flows as they begin and end, and whose they are: WinDivert's flowtrack.
//
//   sudo node examples/flowtrack.ts [filter]

import { type FlowEvent, open } from 'netdivert';

const PROTOCOLS: Readonly<Record<number, string>> = {
  1: 'icmp',
  6: 'tcp',
  17: 'udp',
  58: 'icmpv6',
};

const handle = await open(process.argv[2] ?? 'true', { layer: 'flow' });
// Events that happened so far are still printed.
process.once('SIGINT', () => handle.shutdown('receive'));
console.log('tracking flows, Ctrl-C ends');

const began = new Map<string, bigint>();
for await (const flow of handle) {
  const name = describe(flow);
  const key = `${flow.endpointId} ${name}`;
  if (flow.event === 'established') {
    began.set(key, flow.timestamp);
    console.log(`+ ${name} ${owner(flow)}`);
    continue;
  }
  const since = began.get(key) ?? flow.timestamp;
  began.delete(key);
  console.log(`- ${name} ${owner(flow)} after ${Number((flow.timestamp - since) / 1_000_000n)} ms`);
}
await handle.close();
console.log(`${began.size} flows go on`);

function describe(flow: FlowEvent): string {
  const protocol = PROTOCOLS[flow.protocol] ?? flow.protocol;
  const arrow = flow.outbound ? '->' : '<-';
  const local = `${flow.localAddress} ${flow.localPort}`;
  return `${protocol} ${local} ${arrow} ${flow.remoteAddress} ${flow.remotePort}`;
}

function owner({ processName, processId }: FlowEvent): string {
  return `${processName || '?'}[${processId}]`;
}
