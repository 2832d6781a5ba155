/**
 * The header and the questions of DNS messages (RFC 1035).
 *
 * @module
 */
import { readUint8, readUint16 } from '../bytes.ts';
import { DNS_CLASSES, DNS_TYPES } from './dns-names.ts';

const ID = 0;
const FLAGS = 2;
const QUESTION_COUNT = 4;
const ANSWER_COUNT = 6;
const HEADER_BYTES = 12;
const FLAG_RESPONSE = 0x8000;
const FLAG_TRUNCATED = 0x0200;
const OPCODE_SHIFT = 11;
const NIBBLE = 0x0f;
/** RFC 1035 2.3.4, with the length of each label and the root's. */
const NAME_BYTES_MAX = 255;
const LABEL_BYTES_MAX = 63;
const POINTER = 0xc0;
const POINTER_OFFSET = 0x3fff;
/** A name of one byte, a type, a class. */
const QUESTION_BYTES_MIN = 5;
/** The length in front of a message over TCP (RFC 1035 4.2.2). */
const TCP_LENGTH_BYTES = 2;

/** What a message asks for. */
export interface DnsQuestion {
  /**
   * Without the final dot, `.` for the root; in labels a dot or backslash is escaped by a backslash,
   * other bytes than visible ASCII are `\DDD` (RFC 1035 5.1). Letters are as sent.
   */
  readonly name: string;
  /** `A`, `AAAA`, ... or `TYPE12345` (RFC 3597). */
  readonly type: string;
  /** `IN`, ... or `CLASS12345`. */
  readonly class: string;
}

/** What a message is. */
export interface DnsMessage {
  readonly id: number;
  readonly response: boolean;
  /** 0: a query. */
  readonly opcode: number;
  /** 0: no error, 3: there is no such name. */
  readonly rcode: number;
  readonly truncated: boolean;
  readonly questions: readonly DnsQuestion[];
  /** How many answers it says it has. */
  readonly answers: number;
}

/** How the message travels. */
export interface DnsOptions {
  /** The payload is of a TCP connection: a length is in front of the message. */
  readonly tcp?: boolean;
}

/**
 * Reads the questions of a DNS message.
 *
 * @param payload - of a UDP datagram, or bytes of a TCP connection from a message's length on
 * @returns null when this is no DNS message, or its questions are not all there
 * @example
 * dnsQuestions(packet.readPayload())?.some(({ name }) => name.toLowerCase() === 'ads.example')
 */
export function dnsQuestions(
  payload: Uint8Array,
  options: DnsOptions = {},
): readonly DnsQuestion[] | null {
  return dnsMessage(payload, options)?.questions ?? null;
}

/**
 * Reads the header and the questions of a DNS message.
 *
 * @param payload - as for {@link dnsQuestions}
 * @returns null when this is no DNS message, or its questions are not all there
 */
export function dnsMessage(payload: Uint8Array, options: DnsOptions = {}): DnsMessage | null {
  const message = options.tcp ? firstMessage(payload) : payload;
  if (message === null || message.length < HEADER_BYTES) return null;
  const questions = readQuestions(message);
  if (!questions) return null;
  const flags = readUint16(message, FLAGS);
  return {
    id: readUint16(message, ID),
    response: (flags & FLAG_RESPONSE) !== 0,
    opcode: (flags >> OPCODE_SHIFT) & NIBBLE,
    rcode: flags & NIBBLE,
    truncated: (flags & FLAG_TRUNCATED) !== 0,
    questions,
    answers: readUint16(message, ANSWER_COUNT),
  };
}

function firstMessage(payload: Uint8Array): Uint8Array | null {
  if (payload.length < TCP_LENGTH_BYTES) return null;
  return payload.subarray(TCP_LENGTH_BYTES, TCP_LENGTH_BYTES + readUint16(payload, 0));
}

function readQuestions(message: Uint8Array): DnsQuestion[] | null {
  const count = readUint16(message, QUESTION_COUNT);
  if (count * QUESTION_BYTES_MIN > message.length - HEADER_BYTES) return null;
  const questions: DnsQuestion[] = [];
  let at = HEADER_BYTES;
  while (questions.length < count) {
    const name = readName(message, at);
    if (name === null || name.end + 4 > message.length) return null;
    const type = readUint16(message, name.end);
    const kind = readUint16(message, name.end + 2);
    questions.push({
      name: name.text,
      type: DNS_TYPES.get(type) ?? `TYPE${type}`,
      class: DNS_CLASSES.get(kind) ?? `CLASS${kind}`,
    });
    at = name.end + 4;
  }
  return questions;
}

/** Reads a name; `end` is where the bytes behind it begin. */
function readName(message: Uint8Array, start: number): { text: string; end: number } | null {
  const labels: string[] = [];
  let length = 1;
  let end = -1;
  let at = start;
  // Each pointer leads before all that was read: there is no way round in circles.
  let lowest = start;
  for (let first = byteAt(message, at); first !== 0; first = byteAt(message, at)) {
    if (first >= POINTER) {
      if (end < 0) end = at + 2;
      at = pointerAt(message, at);
      if (at >= lowest) return null;
      lowest = at;
      continue;
    }
    const next = labelEnd(message, at, first);
    length += 1 + first;
    if (next < 0 || length > NAME_BYTES_MAX) return null;
    labels.push(escapeLabel(message, at + 1, next));
    at = next;
  }
  return { text: labels.join('.') || '.', end: end < 0 ? at + 1 : end };
}

/** A byte, -1 outside. */
function byteAt(message: Uint8Array, at: number): number {
  return at < message.length ? readUint8(message, at) : -1;
}

/** End of a label, -1 when it is none or not all there. */
function labelEnd(message: Uint8Array, at: number, length: number): number {
  const end = at + 1 + length;
  return length < 0 || length > LABEL_BYTES_MAX || end > message.length ? -1 : end;
}

/** Where a pointer leads, outside when it is cut off. */
function pointerAt(message: Uint8Array, at: number): number {
  if (at + 2 > message.length) return message.length;
  return readUint16(message, at) & POINTER_OFFSET;
}

function escapeLabel(message: Uint8Array, from: number, to: number): string {
  let text = '';
  for (let at = from; at < to; at++) {
    const byte = readUint8(message, at);
    const character = String.fromCharCode(byte);
    if (character === '.' || character === '\\') text += `\\${character}`;
    else if (byte > 0x20 && byte < 0x7f) text += character;
    else text += `\\${String(byte).padStart(3, '0')}`;
  }
  return text;
}
