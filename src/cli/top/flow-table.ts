/**
 * Flows with their counters and rates.
 *
 * @module
 */

import { readUint16, readUint32 } from '../../packet/bytes.ts';
import { formatIPv4Address, formatIPv6Address } from '../../packet/ip-text.ts';
import { PacketScan, scanPacket } from '../../packet/layout.ts';
import { type PacketProcess, protocolNameOf } from '../packet-line.ts';

const IPV4 = { SOURCE: 12, DESTINATION: 16 } as const;
const IPV6 = { SOURCE: 8, DESTINATION: 24 } as const;
/** Flows that were silent for so long are forgotten. */
const SILENCE_MS = 60_000;
const FLOWS_MAX = 20_000;
const WORD_BYTES = 4;

/** Bytes and packets in one direction. */
export interface Traffic {
  bytes: number;
  packets: number;
  /** Bytes in the last second, about. */
  rate: number;
  bytesBefore: number;
}

export interface Flow {
  readonly key: string;
  readonly protocol: string;
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly outbound: Traffic;
  readonly inbound: Traffic;
  process: PacketProcess | null;
  seenMs: number;
}

/** What is known of a packet besides its bytes. */
export interface FlowPacket {
  readonly isOutbound: boolean;
  readonly lengthBytes: number;
  readonly process: PacketProcess | null;
}

/** Finds out whose flow it is. */
export type FindProcess = (flow: Flow) => PacketProcess | null;

const scan: PacketScan = new PacketScan();

/** Counts packets by flow. */
export class FlowTable {
  readonly #flows = new Map<string, Flow>();
  readonly #findProcess: FindProcess;

  constructor(findProcess: FindProcess) {
    this.#findProcess = findProcess;
  }

  /** In no order. */
  get flows(): Flow[] {
    return [...this.#flows.values()];
  }

  /** Counts a packet; bytes without an IP packet are passed over. */
  add(bytes: Uint8Array, packet: FlowPacket, nowMs: number): void {
    if (!scanPacket(bytes, 0, bytes.length, scan)) return;
    const key = keyOf(bytes, packet.isOutbound);
    let flow = this.#flows.get(key);
    if (flow === undefined) {
      if (this.#flows.size >= FLOWS_MAX) return;
      flow = createFlow(key, bytes, packet.isOutbound);
      flow.process = packet.process ?? this.#findProcess(flow);
      this.#flows.set(key, flow);
    }
    flow.process ??= packet.process;
    flow.seenMs = nowMs;
    const traffic = packet.isOutbound ? flow.outbound : flow.inbound;
    traffic.bytes += packet.lengthBytes;
    traffic.packets++;
  }

  /** Works the rates out, asks again whose flows are, forgets those that are over. */
  tick(elapsedMs: number, nowMs: number): void {
    for (const [key, flow] of this.#flows) {
      for (const traffic of [flow.outbound, flow.inbound]) {
        traffic.rate = ((traffic.bytes - traffic.bytesBefore) * 1000) / Math.max(elapsedMs, 1);
        traffic.bytesBefore = traffic.bytes;
      }
      flow.process ??= this.#findProcess(flow);
      if (nowMs - flow.seenMs > SILENCE_MS) this.#flows.delete(key);
    }
  }

  clear(): void {
    this.#flows.clear();
  }
}

/** Of the scanned packet: the local end first. */
function keyOf(bytes: Uint8Array, isOutbound: boolean): string {
  const { destination, source } = offsets();
  const words = scan.version === 4 ? 1 : 4;
  const at = Math.max(scan.tcp, scan.udp);
  const ports = at < 0 ? [0, 0] : [readUint16(bytes, at), readUint16(bytes, at + 2)];
  const [from, to] = isOutbound ? [source, destination] : [destination, source];
  const [fromPort, toPort] = isOutbound ? ports : ports.reverse();
  let key = `${scan.protocol} ${fromPort} ${toPort}`;
  for (let word = 0; word < words; word++) {
    key += ` ${readUint32(bytes, from + word * WORD_BYTES)} ${readUint32(bytes, to + word * WORD_BYTES)}`;
  }
  return key;
}

function createFlow(key: string, bytes: Uint8Array, isOutbound: boolean): Flow {
  const { destination, source } = offsets();
  const at = Math.max(scan.tcp, scan.udp);
  const ports = at < 0 ? [0, 0] : [readUint16(bytes, at), readUint16(bytes, at + 2)];
  const ends = [source, destination].map((offset) => addressAt(bytes, offset));
  const [local, remote] = isOutbound ? [0, 1] : [1, 0];
  return {
    key,
    protocol: protocolNameOf(scan.protocol).toLowerCase(),
    localAddress: ends[local] ?? '',
    localPort: ports[local] ?? 0,
    remoteAddress: ends[remote] ?? '',
    remotePort: ports[remote] ?? 0,
    outbound: { bytes: 0, packets: 0, rate: 0, bytesBefore: 0 },
    inbound: { bytes: 0, packets: 0, rate: 0, bytesBefore: 0 },
    process: null,
    seenMs: 0,
  };
}

function offsets(): { source: number; destination: number } {
  const { DESTINATION, SOURCE } = scan.version === 4 ? IPV4 : IPV6;
  return { source: SOURCE, destination: DESTINATION };
}

function addressAt(bytes: Uint8Array, at: number): string {
  if (scan.version === 4) return formatIPv4Address(readUint32(bytes, at));
  return formatIPv6Address([12, 8, 4, 0].map((word) => readUint32(bytes, at + word)));
}
