/**
 * What a program that uses the package looks like to the compiler. Never run.
 *
 * @module
 */
import {
  type Address,
  compileFilter,
  DivertError,
  FilterError,
  type FlowHandle,
  type HandleInfo,
  listHandles,
  type NetworkHandle,
  type NetworkOpenOptions,
  open,
  type Packet,
  type PacketBatch,
  type Stats,
} from 'netdivert';
import { evaluateFilter, FIELDS, formatFilter } from 'netdivert/filter';
import {
  calcChecksums,
  decrementTtl,
  formatIPv6Address,
  hashPacket,
  parseIPv4Address,
  parsePacket,
} from 'netdivert/packet';
import { readCapture, writeCapture } from 'netdivert/pcap';

export async function use(bytes: Uint8Array): Promise<void> {
  const options: NetworkOpenOptions = {
    layer: 'network',
    priority: 5,
    signal: AbortSignal.timeout(1),
  };
  await using handle: NetworkHandle = await open('tcp', options);
  for await (const packet of handle) change(handle, packet);
  for await (const batch of handle.batches(10)) all(batch);
  const packet: Packet | null = await handle.receive({ signal: AbortSignal.abort() });
  if (packet) handle.send(packet.retain());
  handle.send(bytes, { outbound: true, interfaceIndex: 2 });
  handle.setParam('queueLength', handle.getParam('queueLength'));
  await handle.setFilter(compileFilter('udp', 'network'));
  await handle.flush();
  const stats: Stats = handle.stats();
  const lost: number = stats.lost.total + stats.waitMs.p99;
  handle.shutdown('both');
  await handle.close();
  // @ts-expect-error a mode that does not exist
  await open('tcp', { mode: 'look' });
  // @ts-expect-error a parameter that does not exist
  handle.getParam('queueWidth');
  void lost;
}

export async function watch(): Promise<void> {
  const flows: FlowHandle = await open('tcp', { layer: 'flow', flowTimeoutMs: 1000 });
  for await (const { event, processName } of flows) if (event === 'deleted') void processName;
  const sockets = await open('true', { layer: 'socket', blockError: 'EACCES' });
  const event = await sockets.receive();
  if (event?.event === 'listen') void event.localPort;
  // @ts-expect-error nothing is sent on the event layers
  sockets.send(event);
  const handles: HandleInfo[] = await listHandles();
  await using reflect = await open('true', { layer: 'reflect' });
  for await (const { filter, openedAt } of reflect) void [filter, openedAt, handles];
}

function change(handle: NetworkHandle, packet: Packet): void {
  if (packet.tcp?.syn) packet.tcp.dstPort = 8080;
  if (packet.ip) packet.ip.dstAddr = '10.0.0.1';
  if (packet.ipv6) packet.ipv6.hopLimit--;
  if (packet.udp) packet.payload = new Uint8Array(packet.payload.length + 1);
  const address: Address = packet.address;
  if (address.loopback || packet.process?.pid === 1) handle.drop(packet);
  else handle.send(packet);
}

function all(batch: PacketBatch): void {
  const dropped: Packet[] = [];
  for (const packet of batch) if (packet.icmp ?? packet.icmpv6) dropped.push(packet);
  batch.sendExcept(dropped);
}

export async function offline(bytes: Uint8Array): Promise<unknown[]> {
  try {
    const { tests, warnings, object } = compileFilter('tcp.DstPort == 80');
    const seen: unknown[] = [tests.length, warnings.map(({ code }) => code), object];
    for await (const record of readCapture(bytes)) seen.push(record.timestampNs, record.interface);
    seen.push(evaluateFilter('ip', bytes, { layer: 0 }), formatFilter('tcp and true'), FIELDS[5]);
    seen.push(parsePacket(bytes)?.tcp, calcChecksums(bytes, { flags: 1 }), hashPacket(bytes, 5n));
    seen.push(decrementTtl(bytes), parseIPv4Address('::'), formatIPv6Address([1, 0, 0, 0]));
    return [...seen, writeCapture];
  } catch (error) {
    if (error instanceof FilterError) return [error.position, error.source];
    if (error instanceof DivertError) return [error.code, error.win32, error.hint];
    throw error;
  }
}
