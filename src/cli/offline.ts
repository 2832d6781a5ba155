/**
 * Filters over capture files: no kernel, no privileges.
 *
 * @module
 */

import type { Filter } from '../filter/index.ts';
import type { AddressInit } from '../packet/address.ts';
import { readUint8 } from '../packet/bytes.ts';
import { parsePacket } from '../packet/parse.ts';
import {
  type CaptureRecord,
  captureDirection,
  networkLayer,
  processName,
  readCapture,
} from '../pcap/index.ts';
import { openCaptureSource } from './capture-source.ts';
import { offlineAddress } from './offline-address.ts';
import type { PacketProcess } from './packet-line.ts';
import { matchesProcess, type ProcessSpec } from './process-spec.ts';

/** A packet of a file, with the address it would have had live. */
export interface OfflinePacket {
  /** From the IP header. */
  readonly bytes: Uint8Array;
  readonly address: AddressInit;
  readonly timestampNs: bigint;
  readonly direction: 'inbound' | 'outbound';
  readonly loopback: boolean;
  /** Length on the wire. */
  readonly originalLength: number;
  /** Where the file says it. */
  readonly process: PacketProcess | null;
  readonly matches: boolean;
}

/** What was in a file, counted while it is read. */
export interface OfflineCounts {
  /** Records in the file. */
  captured: number;
  matched: number;
  /** Without an IP packet in them: ARP and the like, or a link type that is not known. */
  notIp: number;
  /** Cut by the snap length or broken: no filter is asked about them. */
  incomplete: number;
  /** The file does not say which way they went. */
  directionAssumed: number;
}

export interface OfflineOptions {
  /** Path, or `-` for standard input. */
  readonly file: string;
  /** Of packets whose file does not say. Default `outbound`. */
  readonly direction?: 'inbound' | 'outbound' | undefined;
  /** Packets of others do not match, nor those whose file does not say. */
  readonly process?: ProcessSpec | undefined;
}

const IPV4 = { SOURCE: 12, DESTINATION: 16 } as const;
const IPV6 = { SOURCE: 8, DESTINATION: 24, ADDRESS_LENGTH: 16 } as const;
const LOOPBACK_NETWORK = 127;

/** All counts zero. */
export function newCounts(): OfflineCounts {
  return { captured: 0, matched: 0, notIp: 0, incomplete: 0, directionAssumed: 0 };
}

/**
 * Reads the IP packets of a file and asks the filter about each.
 *
 * @param counts - updated while reading
 * @throws {@link CaptureError} after everything that can be read
 */
export async function* readOffline(
  filter: Filter,
  { file, direction: assumed = 'outbound', process: spec }: OfflineOptions,
  counts: OfflineCounts,
): AsyncGenerator<OfflinePacket, void> {
  for await (const record of readCapture(await openCaptureSource(file))) {
    counts.captured++;
    const bytes = networkLayer(record);
    if (bytes === null) {
      counts.notIp++;
      continue;
    }
    if (parsePacket(bytes) === null) counts.incomplete++;
    const known = captureDirection(record);
    if (known === null) counts.directionAssumed++;
    const direction = known ?? assumed;
    const loopback = isLoopback(bytes);
    const address = offlineAddress(filter, bytes, {
      outbound: direction === 'outbound',
      loopback,
      timestamp: record.timestampNs,
    });
    const owner = processOf(record);
    const isMeant = spec === undefined || matchesProcess(owner, spec);
    const matches = isMeant && matchesSafely(filter, bytes, address);
    if (matches) counts.matched++;
    yield {
      bytes,
      address,
      timestampNs: record.timestampNs,
      direction,
      loopback,
      originalLength: bytes.length + (record.originalLength - record.bytes.length),
      process: owner,
      matches,
    };
  }
}

function processOf(record: CaptureRecord): PacketProcess | null {
  const { processId } = record;
  return processId === null ? null : { pid: processId, name: processName(record) };
}

/** A packet too broken to be asked about does not match. */
function matchesSafely(filter: Filter, bytes: Uint8Array, address: AddressInit): boolean {
  try {
    return filter.matches(bytes, address);
  } catch {
    return false;
  }
}

/** From this host to this host, as far as the addresses say. */
function isLoopback(bytes: Uint8Array): boolean {
  if (readUint8(bytes, 0) >> 4 === 4) {
    return (
      readUint8(bytes, IPV4.SOURCE) === LOOPBACK_NETWORK &&
      readUint8(bytes, IPV4.DESTINATION) === LOOPBACK_NETWORK
    );
  }
  return isIPv6Loopback(bytes, IPV6.SOURCE) && isIPv6Loopback(bytes, IPV6.DESTINATION);
}

function isIPv6Loopback(bytes: Uint8Array, at: number): boolean {
  const last = at + IPV6.ADDRESS_LENGTH - 1;
  for (let byte = at; byte < last; byte++) if (readUint8(bytes, byte) !== 0) return false;
  return readUint8(bytes, last) === 1;
}
