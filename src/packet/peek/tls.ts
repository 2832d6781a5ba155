/**
 * The server name in a TLS ClientHello (RFC 8446 4.1.2, RFC 6066 3).
 *
 * @module
 */
import { readUint8, readUint16 } from '../bytes.ts';
import { decodeLatin1, isVisible } from './ascii.ts';

const RECORD = { TYPE: 0, MAJOR_VERSION: 1, LENGTH: 3, HEADER_BYTES: 5 } as const;
const CONTENT_HANDSHAKE = 22;
/** RFC 8446 5.1: a plaintext record has at most 2^14 bytes. */
const RECORD_BYTES_MAX = 16_384;
const HANDSHAKE_HEADER_BYTES = 4;
const CLIENT_HELLO = 1;
/** legacy_version and random. */
const FIXED_BYTES = 2 + 32;
const EXTENSION_SERVER_NAME = 0;
const NAME_TYPE_HOST = 0;
/** A DNS name has 253 characters at most. */
const NAME_BYTES_MAX = 255;
/** Larger ones than anybody sends are none: a few KB with post-quantum keys. */
const HELLO_BYTES_MAX = 65_536;

/** What bytes are: a whole ClientHello, the beginning of one, or something else. @internal */
export type ClientHello =
  | { readonly kind: 'complete'; readonly serverName: string | null }
  | { readonly kind: 'partial' }
  | { readonly kind: 'none' };

const PARTIAL: ClientHello = { kind: 'partial' };
const NONE: ClientHello = { kind: 'none' };
const NAMELESS: ClientHello = { kind: 'complete', serverName: null };

/**
 * Reads the server name out of a ClientHello at the start of a TCP payload.
 *
 * With Encrypted Client Hello it is the outer, public name: the inner one is encrypted.
 *
 * @param payload - bytes of a connection, from the first TLS record on; the message may be spread
 *   over several records
 * @returns the name in lower case; null when these bytes are no ClientHello, when it is not
 *   complete, or has no name
 * @example
 * tlsServerName(packet.readPayload()) === 'ads.example'
 */
export function tlsServerName(payload: Uint8Array): string | null {
  const hello = readClientHello(payload);
  return hello.kind === 'complete' ? hello.serverName : null;
}

/** @internal */
export function readClientHello(payload: Uint8Array): ClientHello {
  const message = joinRecords(payload);
  if (message === null) return NONE;
  if (message.length > 0 && readUint8(message, 0) !== CLIENT_HELLO) return NONE;
  if (message.length < HANDSHAKE_HEADER_BYTES) return PARTIAL;
  const length = (readUint8(message, 1) << 16) | readUint16(message, 2);
  if (length > HELLO_BYTES_MAX || length < FIXED_BYTES) return NONE;
  if (message.length < HANDSHAKE_HEADER_BYTES + length) return PARTIAL;
  return readBody(message.subarray(HANDSHAKE_HEADER_BYTES, HANDSHAKE_HEADER_BYTES + length));
}

/** What the handshake records at the start carry; null when there are none. */
function joinRecords(payload: Uint8Array): Uint8Array | null {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (let length = recordLength(payload, at); length > 0; length = recordLength(payload, at)) {
    const start = at + RECORD.HEADER_BYTES;
    parts.push(payload.subarray(start, Math.min(start + length, payload.length)));
    at = start + length;
  }
  if (parts.length === 0) return isRecordStart(payload) ? new Uint8Array(0) : null;
  return parts.length === 1 ? (parts[0] ?? null) : concatenate(parts);
}

/** What the header of a handshake record says; 0 when there is none. */
function recordLength(payload: Uint8Array, at: number): number {
  if (payload.length - at < RECORD.HEADER_BYTES) return 0;
  if (readUint8(payload, at + RECORD.TYPE) !== CONTENT_HANDSHAKE) return 0;
  if (readUint8(payload, at + RECORD.MAJOR_VERSION) !== 3) return 0;
  const length = readUint16(payload, at + RECORD.LENGTH);
  return length > RECORD_BYTES_MAX ? 0 : length;
}

/** Whether this is a record header that is not all there. */
function isRecordStart(payload: Uint8Array): boolean {
  if (payload.length === 0 || payload.length >= RECORD.HEADER_BYTES) return false;
  if (readUint8(payload, RECORD.TYPE) !== CONTENT_HANDSHAKE) return false;
  return payload.length === 1 || readUint8(payload, RECORD.MAJOR_VERSION) === 3;
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Session, cipher suites and compression methods are skipped; extensions follow. */
function readBody(body: Uint8Array): ClientHello {
  let at = FIXED_BYTES;
  for (const lengthBytes of [1, 2, 1]) {
    if (at + lengthBytes > body.length) return NONE;
    at += lengthBytes + (lengthBytes === 1 ? readUint8(body, at) : readUint16(body, at));
  }
  // RFC 5246 7.4.1.2: there may be no extensions at all.
  if (at === body.length) return NAMELESS;
  if (at + 2 > body.length) return NONE;
  const end = at + 2 + readUint16(body, at);
  if (end > body.length) return NONE;
  return readExtensions(body, at + 2, end);
}

function readExtensions(body: Uint8Array, from: number, end: number): ClientHello {
  for (let at = from; at < end; ) {
    if (at + 4 > end) return NONE;
    const next = at + 4 + readUint16(body, at + 2);
    if (next > end) return NONE;
    if (readUint16(body, at) === EXTENSION_SERVER_NAME) {
      return { kind: 'complete', serverName: readNameList(body, at + 4, next) };
    }
    at = next;
  }
  return NAMELESS;
}

/** The host name of a ServerNameList. */
function readNameList(body: Uint8Array, from: number, end: number): string | null {
  let at = from + 2;
  while (at + 3 <= end) {
    const start = at + 3;
    const next = start + readUint16(body, at + 1);
    if (next > end) return null;
    if (readUint8(body, at) === NAME_TYPE_HOST) {
      const isName = next > start && next - start <= NAME_BYTES_MAX && isVisible(body, start, next);
      return isName ? decodeLatin1(body, start, next).toLowerCase() : null;
    }
    at = next;
  }
  return null;
}
