/**
 * Values of options: text from the command line to what it means.
 *
 * @module
 */

import { InvalidArgumentError } from 'commander';

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const BYTES_PER_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  k: 1024,
  m: 1024 ** 2,
  g: 1024 ** 3,
};
const BITS_PER_UNIT: Readonly<Record<string, number>> = {
  bit: 1,
  kbit: 1e3,
  mbit: 1e6,
  gbit: 1e9,
};
const PERCENT = 100;
const MAX_PORT = 65_535;
const MAX_BATCH = 255;
const MAX_WORKERS = 256;
/** What a timer of Node can wait for. */
const MAX_DURATION_MS = 2 ** 31 - 1;

/** A whole number of at least 1. */
export function parseCount(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new InvalidArgumentError('A whole number of at least 1 is needed.');
}

/** Packets of a turn: 1 to 255. */
export function parseBatch(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= MAX_BATCH) return value;
  throw new InvalidArgumentError(`A whole number from 1 to ${MAX_BATCH} is needed.`);
}

/** Threads: 1 to 256. */
export function parseWorkers(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= MAX_WORKERS) return value;
  throw new InvalidArgumentError(`A whole number from 1 to ${MAX_WORKERS} is needed.`);
}

/** A whole number, also a negative one. */
export function parseInteger(text: string): number {
  if (/^[+-]?\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('A whole number is needed.');
}

/**
 * A time: seconds, or a number with a unit (`500ms`, `10s`, `5m`, `1h`).
 *
 * @returns milliseconds
 */
export function parseDuration(text: string): number {
  const [, digits = '', unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const milliseconds = Number(digits) * (MS_PER_UNIT[unit] ?? 0);
  if (digits !== '' && milliseconds > 0 && milliseconds <= MAX_DURATION_MS) return milliseconds;
  throw new InvalidArgumentError('A time is needed, such as 10, 10s, 500ms, 5m or 1h.');
}

/** A time that may be nothing: a number without a unit is milliseconds. */
export function parseDelay(text: string): number {
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text);
  if (/^0(ms|s)$/.test(text)) return 0;
  return parseDuration(text);
}

/** A size: bytes, or with `k`, `M` or `G` for powers of 1024. */
export function parseSize(text: string): number {
  const [, digits = '', unit = ''] = /^(\d+(?:\.\d+)?)([kmg]?)(?:i?b)?$/i.exec(text) ?? [];
  const bytes = Math.round(Number(digits) * (BYTES_PER_UNIT[unit.toLowerCase()] ?? 0));
  if (digits !== '' && bytes >= 1) return bytes;
  throw new InvalidArgumentError('A size is needed, such as 500000, 64k, 10M or 1G.');
}

/** Bits a second: `800kbit`, `2mbit`. */
export function parseRate(text: string): number {
  const [, digits = '', unit = 'bit'] =
    /^(\d+(?:\.\d+)?)([kmg]?bit)?(?:\/s|ps)?$/i.exec(text) ?? [];
  const bits = Number(digits) * (BITS_PER_UNIT[unit.toLowerCase()] ?? 0);
  if (digits !== '' && bits >= 1) return bits;
  throw new InvalidArgumentError('A rate is needed, such as 800kbit, 2mbit or 1gbit.');
}

/** A share: `5%` or `0.05`. */
export function parseShare(text: string): number {
  const [, digits = '', percent] = /^(\d+(?:\.\d+)?)(%)?$/.exec(text) ?? [];
  const share = Number(digits) / (percent ? PERCENT : 1);
  if (digits !== '' && share <= 1) return share;
  throw new InvalidArgumentError('A share is needed, such as 5% or 0.05.');
}

/** A port: 1 to 65535. */
export function parsePort(text: string): number {
  const port = /^\d+$/.test(text) ? Number(text) : 0;
  if (port >= 1 && port <= MAX_PORT) return port;
  throw new InvalidArgumentError('A port from 1 to 65535 is needed.');
}

/** Where a connection goes. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** `host:port`, `[ipv6]:port`, or a port of this host. */
export function parseEndpoint(text: string): Endpoint {
  const [, bracketed, plain, digits = text] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d+)$/.exec(text) ?? [];
  const port = /^\d+$/.test(digits) ? Number(digits) : 0;
  if (port >= 1 && port <= MAX_PORT) return { host: bracketed ?? plain ?? '127.0.0.1', port };
  throw new InvalidArgumentError('An address with a port is needed: 127.0.0.1:8080, [::1]:8080.');
}
