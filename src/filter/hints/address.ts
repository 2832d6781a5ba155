/**
 * Advice on address ranges, CIDR blocks above all.
 *
 * @module
 */

import type { Layer } from '../../packet/address.ts';
import {
  formatIPv4Address,
  formatIPv6Address,
  parseIPv4Address,
  parseIPv6Address,
} from '../../packet/ip-text.ts';
import { bigintOf, wordsOf } from '../words.ts';
import type { HintRule } from './context.ts';

/** First and last address of a block, as text. */
export interface AddressBlock {
  readonly first: string;
  readonly last: string;
}

/**
 * The block that a CIDR notation means.
 *
 * @param address - IPv4 or IPv6 text; bits after the prefix are ignored
 * @param prefix - its length in bits
 */
export function addressBlock(address: string, prefix: number): AddressBlock | null {
  const ipv4 = parseIPv4Address(address);
  if (ipv4 !== null) {
    if (prefix > 32) return null;
    const hostMask = prefix === 32 ? 0 : 0xffff_ffff >>> prefix;
    const first = (ipv4 & ~hostMask) >>> 0;
    return { first: formatIPv4Address(first), last: formatIPv4Address((first | hostMask) >>> 0) };
  }
  const ipv6 = parseIPv6Address(address);
  if (ipv6 === null || prefix > 128) return null;
  const hostMask = (1n << BigInt(128 - prefix)) - 1n;
  const first = bigintOf(ipv6) & ~hostMask;
  return {
    first: formatIPv6Address(wordsOf(first)),
    last: formatIPv6Address(wordsOf(first | hostMask)),
  };
}

/** `field` inside a range, or outside of it for `!=`. */
export function rangeText(field: string, operator: string, first: string, last: string): string {
  if (operator === '!=') return `(${field} < ${first} or ${field} > ${last})`;
  return first === last ? `${field} == ${first}` : `(${field} >= ${first} and ${field} <= ${last})`;
}

/** The address fields of a layer for one family: source and destination, or local and remote. */
export function addressFields(layer: Layer, address: string): readonly [string, string] {
  if (layer === 'flow' || layer === 'socket') return ['localAddr', 'remoteAddr'];
  const header = address.includes(':') ? 'ipv6' : 'ip';
  return [`${header}.SrcAddr`, `${header}.DstAddr`];
}

const BLOCK_START = /(?:([A-Za-z][A-Za-z0-9.]*)\s*(==?|!=|<=?|>=?)\s*)?([0-9A-Fa-f.:]+)$/;
const PREFIX_LENGTH = /^(\d{1,3})(?![\w.:])/;

/** `ip.DstAddr == 10.0.0.0/8`: the two comparisons that mean it. */
export const cidrHint: HintRule = ({ word, before, after, layer }) => {
  if (word !== '/') return null;
  const [, field, operator = '==', address] = BLOCK_START.exec(before) ?? [];
  const prefix = PREFIX_LENGTH.exec(after)?.[1];
  if (!address || !prefix) return null;
  const block = addressBlock(address, Number(prefix));
  if (block === null) return `There is no CIDR notation, and /${prefix} is no prefix of ${address}`;
  const subject = field ?? addressFields(layer, address)[1];
  return `There is no CIDR notation. Write: ${rangeText(subject, operator, block.first, block.last)}`;
};

const WILDCARD_START = /([A-Za-z][A-Za-z0-9.]*)\s*(==?|!=)\s*((?:\d{1,3}\.){1,3})$/;

/** `ip.DstAddr == 10.1.*`: a range, too. The lexer stops at the number or at the star. */
export const wildcardHint: HintRule = ({ source, word, before, after }) => {
  const text = word === '*' ? before : `${before}${word}`;
  if (word !== '*' && !after.startsWith('*')) return null;
  const [, field, operator, known] = WILDCARD_START.exec(text) ?? [];
  if (!field || !operator || !known || source === '') return null;
  const parts = known.slice(0, -1).split('.');
  const fill = (part: string): string =>
    [...parts, ...new Array<string>(4 - parts.length).fill(part)].join('.');
  return `There are no wildcards. Write: ${rangeText(field, operator, fill('0'), fill('255'))}`;
};

const ADDRESS_AND_PORT = /^(\d+\.\d+\.\d+\.\d+):(\d+)$/;

/** `1.2.3.4:80`: address and port are compared apart. */
export const endpointHint: HintRule = ({ word, before, layer }) => {
  const [, address, port] = ADDRESS_AND_PORT.exec(word) ?? [];
  if (!address || !port || parseIPv4Address(address) === null) return null;
  const source = /(?:Src|local)[A-Za-z]*\s*[=!<>]+\s*$/.test(before);
  const side = source ? 0 : 1;
  const ports =
    layer === 'flow' || layer === 'socket'
      ? ['localPort', 'remotePort']
      : ['tcp.SrcPort', 'tcp.DstPort'];
  return `Compare address and port apart: ${addressFields(layer, address)[side]} == ${address} and ${ports[side]} == ${port}`;
};

/** `ip.DstAddr == example.com`: names are not looked up. */
export const hostNameHint: HintRule = ({ reason, word, before }) => {
  const named =
    reason.kind === 'word' && /^[A-Za-z][A-Za-z0-9-]*\.[A-Za-z0-9.-]*[A-Za-z]$/.test(word);
  const address = /(?:Src|Dst|local|remote)Addr\s*[=!<>]+\s*$/.test(before);
  return named && address ? 'Names are not resolved. Look the address up first' : null;
};
