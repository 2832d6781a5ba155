/**
 * A packet for programs: what {@link formatPacketLine} says, in fields.
 *
 * @module
 */

import { readUint8, readUint16, readUint32 } from '../packet/bytes.ts';
import { formatIPv4Address, formatIPv6Address } from '../packet/ip-text.ts';
import { PacketScan, scanPacket } from '../packet/layout.ts';
import { type ApplicationData, readApplication } from './application-line.ts';
import { formatIsoTime, type JsonRecord } from './json.ts';
import { type PacketContext, protocolNameOf, tcpFlagLetters } from './packet-line.ts';

const IPV4 = { SOURCE: 12, DESTINATION: 16 } as const;
const IPV6 = { SOURCE: 8, DESTINATION: 24 } as const;
const TCP = { SEQUENCE: 4, ACKNOWLEDGEMENT: 8, FLAGS: 13, WINDOW: 14 } as const;

const scan: PacketScan = new PacketScan();

/** The fields of a packet; `bytes` may be cut short. */
export function packetRecord(bytes: Uint8Array, context: PacketContext): JsonRecord {
  const record = {
    type: 'packet',
    time: formatIsoTime(context.timestampNs),
    direction: context.direction,
    loopback: context.loopback ?? false,
    impostor: context.impostor,
    interface: context.interfaceIndex,
    length: context.originalLength ?? bytes.length,
    process: context.process ?? undefined,
  };
  if (!scanPacket(bytes, 0, bytes.length, scan)) return { ...record, valid: false };
  return { ...record, ...networkFields(bytes), ...transportFields(bytes) };
}

function networkFields(bytes: Uint8Array): Record<string, unknown> {
  const offsets = scan.version === 4 ? IPV4 : IPV6;
  return {
    ip: scan.version,
    protocol: protocolNameOf(scan.protocol).toLowerCase(),
    source: addressAt(bytes, offsets.SOURCE),
    destination: addressAt(bytes, offsets.DESTINATION),
    fragmentOffset: scan.fragment === 1 ? scan.fragmentOffset * 8 : undefined,
  };
}

function transportFields(bytes: Uint8Array): Record<string, unknown> {
  const at = Math.max(scan.tcp, scan.udp);
  const icmp = Math.max(scan.icmp, scan.icmpv6);
  const payloadLength = scan.ipLength - scan.payloadOffset;
  if (icmp >= 0) {
    return {
      payloadLength,
      icmp: { type: readUint8(bytes, icmp), code: readUint8(bytes, icmp + 1) },
    };
  }
  if (at < 0) return { payloadLength };
  return {
    sourcePort: readUint16(bytes, at),
    destinationPort: readUint16(bytes, at + 2),
    payloadLength,
    tcp: scan.tcp < 0 ? undefined : tcpFields(bytes),
    ...applicationFields(bytes, at),
  };
}

function tcpFields(bytes: Uint8Array): Record<string, unknown> {
  return {
    flags: tcpFlagLetters(readUint8(bytes, scan.tcp + TCP.FLAGS)),
    sequence: readUint32(bytes, scan.tcp + TCP.SEQUENCE),
    acknowledgement: readUint32(bytes, scan.tcp + TCP.ACKNOWLEDGEMENT),
    window: readUint16(bytes, scan.tcp + TCP.WINDOW),
  };
}

function applicationFields(bytes: Uint8Array, at: number): Record<string, unknown> {
  if (scan.payloadLength === 0) return {};
  const payload = bytes.subarray(scan.payloadOffset, scan.payloadOffset + scan.payloadLength);
  const ports = [readUint16(bytes, at), readUint16(bytes, at + 2)] as const;
  const data = readApplication(payload, scan.tcp >= 0 ? 'tcp' : 'udp', ports);
  return data === null ? {} : describe(data);
}

function describe(data: ApplicationData): Record<string, unknown> {
  switch (data.kind) {
    case 'http-request': {
      const { method, target, host } = data.request;
      return { http: { method, target, host } };
    }
    case 'http-response':
      return { http: { status: data.status } };
    case 'tls':
      return { tls: { serverName: data.serverName } };
    default: {
      const { questions, response, rcode, answers } = data.message;
      return { dns: { questions, ...(response && { rcode, answers }) } };
    }
  }
}

function addressAt(bytes: Uint8Array, at: number): string {
  if (scan.version === 4) return formatIPv4Address(readUint32(bytes, at));
  return formatIPv6Address([12, 8, 4, 0].map((word) => readUint32(bytes, at + word)));
}
