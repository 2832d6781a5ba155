/**
 * What the demo shows: filters and decisions, the same live and over the bundled capture.
 *
 * @module
 */

import { parsePacket } from '../../packet/index.ts';
import { HOSTS } from './hosts.ts';

/** One thing the demo shows. */
export interface Scene {
  readonly title: string;
  readonly filter: string;
  /** What is done with a packet that matches. */
  readonly action: string;
  /** What would become of one packet; null: it would be sent on as it is. */
  effect(payload: Uint8Array, outbound: boolean): string | null;
}

export const BLOCKED_HOST = 'ads.example';
export const HOLD_MS = 150;

export const SCENES: Readonly<Record<'see' | 'rewrite' | 'block' | 'slow', Scene>> = {
  see: {
    title: 'See requests',
    filter: 'outbound and tcp.DstPort == 80 and tcp.PayloadLength > 0',
    action: 'print the request line, send the packet on',
    effect: () => null,
  },
  rewrite: {
    title: 'Rewrite responses',
    filter: 'tcp.SrcPort == 80 or tcp.DstPort == 80',
    action: 'change the page, correct Content-Length and the sequence numbers after it',
    effect: (payload, outbound) => {
      const changed = outbound ? null : rewriteResponse(payload);
      return changed && `changed, from ${payload.length} to ${changed.length} bytes`;
    },
  },
  block: {
    title: 'Block a host',
    filter: 'outbound and tcp.DstPort == 80 and tcp.PayloadLength > 0',
    action: 'drop requests for ads.example, send the others on',
    effect: (payload) => (readRequest(payload)?.host === BLOCKED_HOST ? 'dropped' : null),
  },
  slow: {
    title: 'Slow a connection down',
    filter: 'tcp.SrcPort == 8080 or tcp.DstPort == 8080',
    action: 'hold each packet for 150 ms, then send it on',
    effect: () => `held for ${HOLD_MS} ms`,
  },
};

/** Pages and what they become: the first of the same length, the second longer. */
const REWRITES: readonly (readonly [page: string, changed: string])[] = [
  [HOSTS['weather.example'] ?? '', 'Tomorrow: sun!'],
  [HOSTS['shop.example'] ?? '', 'A ticket is 19.99 EUR, today only'],
];

/** What is behind the headers, only to be looked at; empty when there is nothing. */
export function payloadOf(bytes: Uint8Array): Uint8Array {
  const layout = parsePacket(bytes);
  if (layout === null || layout.data === null) return bytes.subarray(0, 0);
  return bytes.subarray(layout.data, layout.data + layout.dataLength);
}

/** The request line and host of an HTTP request, or null. */
export function readRequest(payload: Uint8Array): { line: string; host: string } | null {
  const text = latin1(payload);
  const line = /^[A-Z]+ \S+ HTTP\/1\.1/.exec(text)?.[0];
  const host = /\r\nHost: ([^\r\n]+)/i.exec(text)?.[1];
  return line === undefined || host === undefined ? null : { line, host };
}

/** The response with the page changed and `Content-Length` to match, or null for any other payload. */
export function rewriteResponse(payload: Uint8Array): Uint8Array | null {
  const text = latin1(payload);
  for (const [page, changed] of REWRITES) {
    if (!text.startsWith('HTTP/1.1 200') || !text.endsWith(`\r\n\r\n${page}`)) continue;
    const head = text.slice(0, text.length - page.length);
    const length = `Content-Length: ${changed.length}`;
    return Buffer.from(head.replace(/Content-Length: \d+/i, length) + changed, 'latin1');
  }
  return null;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}
