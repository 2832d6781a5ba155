/**
 * Events of flows, sockets and handles: for people, and for programs.
 *
 * @module
 */

import type { FlowEvent, ReflectEvent, SocketEvent } from '../../divert/event.ts';
import { formatIsoTime, type JsonRecord } from '../json.ts';
import type { Style } from '../output.ts';
import { formatTime, protocolNameOf, safeText } from '../packet-line.ts';

/** Characters of the longest name of an event. */
const EVENT_WIDTH = 11;

/** One line for an event at a socket or of a flow. */
export function formatEndpointEvent(
  event: FlowEvent | SocketEvent,
  timestampNs: bigint,
  style: Style,
): string {
  const parts = [
    style('dim', formatTime(timestampNs)),
    style(
      event.event === 'deleted' || event.event === 'close' ? 'dim' : 'bold',
      event.event.padEnd(EVENT_WIDTH),
    ),
    event.loopback ? 'lo ' : event.outbound ? 'out' : 'in ',
    protocolNameOf(event.protocol).padEnd(6),
    style('cyan', formatEnds(event)),
  ];
  if (event.processId > 0) {
    parts.push(style('magenta', `${safeText(event.processName) || '?'}[${event.processId}]`));
  }
  if (event.layer === 'socket' && !event.sniffed) parts.push(style('red', 'blocked'));
  return parts.join(' ');
}

/** The ends of anything that has two. */
export function formatEnds(ends: {
  readonly localAddress: string;
  readonly localPort: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
}): string {
  const { localAddress, localPort, remoteAddress, remotePort } = ends;
  return `${formatEnd(localAddress, localPort)} ${formatEnd(remoteAddress, remotePort)}`;
}

/** `10.0.0.1:80`, `[::1]:80`. */
export function formatEnd(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** An event at a socket or of a flow for programs. */
export function endpointRecord(event: FlowEvent | SocketEvent, timestampNs: bigint): JsonRecord {
  const { layer, timestamp: _timestamp, protocol, ...rest } = event;
  return {
    type: layer,
    time: formatIsoTime(timestampNs),
    ...rest,
    protocol: protocolNameOf(protocol).toLowerCase(),
  };
}

/** One line for a handle that was opened or closed. */
export function formatReflectEvent(event: ReflectEvent, timestampNs: bigint, style: Style): string {
  const name = style(event.event === 'open' ? 'bold' : 'dim', event.event.padEnd('close'.length));
  return `${style('dim', formatTime(timestampNs))} ${name} ${formatHandle(event, style)}`;
}

/** What is known of a handle, without its times. */
export function formatHandle(
  handle: Pick<ReflectEvent, 'filter' | 'flags' | 'handleId' | 'layer' | 'priority' | 'processId'>,
  style: Style,
): string {
  const { filter, flags, handleId, layer, priority, processId } = handle;
  const mode = modeOf(flags);
  const owner = style('magenta', `process ${processId}`);
  return `#${handleId} ${owner} ${layer} ${mode} priority ${priority} ${style('cyan', safeText(filter))}`;
}

const FLAG_SNIFF = 1n;
const FLAG_DROP = 2n;

/** What a handle does, of its `WINDIVERT_FLAG_*`. */
export function modeOf(flags: bigint): 'divert' | 'sniff' | 'drop' {
  if ((flags & FLAG_SNIFF) !== 0n) return 'sniff';
  return (flags & FLAG_DROP) !== 0n ? 'drop' : 'divert';
}

/** A handle for programs. */
export function reflectRecord(event: ReflectEvent, timestampNs: bigint): JsonRecord {
  const { timestamp, openedAt, ...rest } = event;
  return {
    type: 'handle',
    time: formatIsoTime(timestampNs),
    openedAt: formatIsoTime(timestampNs - timestamp + openedAt),
    ...rest,
    mode: modeOf(event.flags),
  };
}
