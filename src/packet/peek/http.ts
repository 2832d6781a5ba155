/**
 * The head of an HTTP/1 request (RFC 9112).
 *
 * @module
 */
import { readUint8 } from '../bytes.ts';
import { decodeLatin1, indexOfByte } from './ascii.ts';

const CR = 0x0d;
const LF = 0x0a;
/** Longer heads are cut: servers take 8 to 64 KB. */
const HEAD_BYTES_MAX = 65_536;
/** The longest registered method has 17 letters (UPDATEREDIRECTREF). */
const METHOD_BYTES_MAX = 32;

const METHOD = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const REQUEST_LINE = /^(\S+) (\S+) HTTP\/(\d\.\d)$/;
const HEADER = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):(.*)$/;
/** A name, an IPv4 address or an IPv6 address in brackets, and a port. */
const AUTHORITY = /^(?:[^@/?#]*@)?(\[[0-9A-Fa-f:.]+\]|[^:@/?#[\]\s]+)(?::(\d{0,5}))?$/;
const ABSOLUTE_TARGET = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)/;

/** What the head of a request says. */
export interface HttpRequest {
  /** As sent: methods are case-sensitive. */
  readonly method: string;
  /** As sent: a path, a whole URL (to a proxy), `host:port` (CONNECT) or `*`. */
  readonly target: string;
  /** `1.1` or `1.0`. */
  readonly version: string;
  /** Whom it is for, in lower case, without port and brackets; null when that is not said (yet). */
  readonly host: string | null;
  /** The port beside the host, null when there is none. */
  readonly port: number | null;
  /** Lines that are there, by name in lower case; values of lines with the same name joined by `, `. */
  readonly headers: ReadonlyMap<string, string>;
  /** The head is whole: its empty line is there. */
  readonly complete: boolean;
}

/**
 * Reads the head of an HTTP/1 request at the start of a TCP payload.
 *
 * The request line must be whole, the headers need not be. Where a target names a host, that
 * counts, not the Host header (RFC 9112 3.2.2).
 *
 * @param payload - bytes of a connection, from the request's first one on
 * @returns null when these are none
 * @example
 * httpRequest(packet.readPayload())?.host === 'ads.example'
 */
export function httpRequest(payload: Uint8Array): HttpRequest | null {
  const end = Math.min(payload.length, HEAD_BYTES_MAX);
  let at = 0;
  // An empty line before the request is to be ignored (RFC 9112 2.2).
  while (at < end && (readUint8(payload, at) === CR || readUint8(payload, at) === LF)) at++;
  if (!beginsWithMethod(payload, at, end)) return null;
  const lineEnd = indexOfByte(payload, LF, at, end);
  if (lineEnd < 0) return null;
  const [, method = '', target = '', version = ''] =
    REQUEST_LINE.exec(readLine(payload, at, lineEnd)) ?? [];
  if (method === '') return null;
  const { headers, complete } = readHeaders(payload, lineEnd + 1, end);
  const authority = authorityOf(method, target) ?? headers.get('host') ?? '';
  const [, host, port] = AUTHORITY.exec(authority) ?? [];
  return {
    method,
    target,
    version,
    host: host === undefined ? null : host.replace(/^\[|\]$/g, '').toLowerCase(),
    port: port ? Number(port) : null,
    headers,
    complete,
  };
}

/** Whether more bytes could make this the head of a request, or a longer one. @internal */
export function isPartialHttpRequest(payload: Uint8Array): boolean {
  if (payload.length >= HEAD_BYTES_MAX) return false;
  const request = httpRequest(payload);
  if (request) return !request.complete;
  const isLine = indexOfByte(payload, LF, 0, payload.length) >= 0;
  return !isLine && beginsWithMethod(payload, 0, payload.length);
}

/** Whether there is a method, or the beginning of one. */
function beginsWithMethod(payload: Uint8Array, from: number, end: number): boolean {
  const stop = Math.min(end, from + METHOD_BYTES_MAX);
  const blank = indexOfByte(payload, 0x20, from, stop);
  if (blank < 0 && end - from > METHOD_BYTES_MAX) return false;
  return METHOD.test(decodeLatin1(payload, from, blank < 0 ? stop : blank));
}

function readHeaders(
  payload: Uint8Array,
  from: number,
  end: number,
): { headers: Map<string, string>; complete: boolean } {
  const headers = new Map<string, string>();
  for (let at = from; at < end; ) {
    const lineEnd = indexOfByte(payload, LF, at, end);
    if (lineEnd < 0) break;
    const line = readLine(payload, at, lineEnd);
    if (line === '') return { headers, complete: true };
    const [, name, value = ''] = HEADER.exec(line) ?? [];
    if (name !== undefined) {
      const key = name.toLowerCase();
      const before = headers.get(key);
      headers.set(key, before === undefined ? value.trim() : `${before}, ${value.trim()}`);
    }
    at = lineEnd + 1;
  }
  return { headers, complete: false };
}

/** Without its end, which may be a bare LF (RFC 9112 2.2). */
function readLine(payload: Uint8Array, from: number, lineFeed: number): string {
  const hasReturn = lineFeed > from && readUint8(payload, lineFeed - 1) === CR;
  return decodeLatin1(payload, from, hasReturn ? lineFeed - 1 : lineFeed);
}

function authorityOf(method: string, target: string): string | undefined {
  return method === 'CONNECT' ? target : ABSOLUTE_TARGET.exec(target)?.[1];
}
