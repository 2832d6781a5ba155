/**
 * Advice on words that mean nothing: wrong case, names from other tools, slips of the pen.
 *
 * @module
 */

import type { Layer } from '../../packet/address.ts';
import { FIELDS, LAYER_BIT } from '../fields.ts';
import { KEYWORDS } from '../keywords.ts';
import { comparisonBefore, type HintRule } from './context.ts';
import { layerHint } from './layer.ts';

const BY_LOWER_CASE: ReadonlyMap<string, string> = new Map(
  [...KEYWORDS.keys()].toReversed().map((word) => [word.toLowerCase(), word]),
);

const FLAGS_ADVICE =
  'The flags are fields of their own: tcp.Syn, tcp.Ack, tcp.Fin, tcp.Rst, tcp.Psh and tcp.Urg';

/** Names that users of other tools write, in lower case, and what they are called here. */
const OTHER_NAMES: ReadonlyMap<string, string> = new Map([
  ['ip.src', 'ip.SrcAddr'],
  ['ip.dst', 'ip.DstAddr'],
  ['ipv6.src', 'ipv6.SrcAddr'],
  ['ipv6.dst', 'ipv6.DstAddr'],
  ['ip6.src', 'ipv6.SrcAddr'],
  ['ip6.dst', 'ipv6.DstAddr'],
  ['ip.proto', 'ip.Protocol'],
  ['ip.len', 'ip.Length'],
  ['ip6', 'ipv6'],
  ['ipv4', 'ip'],
  ['icmp6', 'icmpv6'],
  ['tcp.dport', 'tcp.DstPort'],
  ['tcp.sport', 'tcp.SrcPort'],
  ['udp.dport', 'udp.DstPort'],
  ['udp.sport', 'udp.SrcPort'],
  ['tcp.seq', 'tcp.SeqNum'],
  ['tcp.len', 'tcp.PayloadLength'],
  ['udp.len', 'udp.Length'],
  ['tcp.window_size', 'tcp.Window'],
  ['tcp.flags.syn', 'tcp.Syn'],
  ['tcp.flags.ack', 'tcp.Ack'],
  ['tcp.flags.fin', 'tcp.Fin'],
  ['tcp.flags.reset', 'tcp.Rst'],
  ['tcp.flags.push', 'tcp.Psh'],
  ['frame.len', 'length'],
  ['len', 'length'],
  ['pid', 'processId'],
  ['process.id', 'processId'],
  ['proto', 'protocol'],
  ['ifindex', 'ifIdx'],
  ['incoming', 'inbound'],
  ['outgoing', 'outbound'],
  ['ttl', 'ip.TTL'],
]);

/** The same for what has no single counterpart. */
const OTHER_WORDS: ReadonlyMap<string, string> = new Map([
  ['tcp.flags', FLAGS_ADVICE],
  ['ip.version', 'Write ip for IPv4 packets and ipv6 for IPv6 packets'],
  ['ip.flags', 'The flags are fields of their own: ip.DF and ip.MF'],
  ['direction', 'Write inbound or outbound'],
  ['xor', 'There is no xor. Write (a and not b) or (not a and b) with the tests themselves'],
  ['localhost', 'Names are not resolved. Write 127.0.0.1, or loopback for packets that stay here'],
  ['any', 'To match everything write: true'],
  ['all', 'To match everything write: true'],
  ['icmpv4', 'Write: icmp'],
  [
    'dns',
    'Protocols above TCP and UDP have no names. Write: udp.DstPort == 53 or udp.SrcPort == 53',
  ],
  [
    'http',
    'Protocols above TCP and UDP have no names. Write: tcp.DstPort == 80 or tcp.SrcPort == 80',
  ],
  [
    'https',
    'Protocols above TCP and UDP have no names. Write: tcp.DstPort == 443 or tcp.SrcPort == 443',
  ],
  ['arp', 'Only IP packets are seen, so ARP cannot be matched'],
]);

/** `TCP.dstport`, `AND`, `Outbound`: names are case sensitive. */
export const caseHint: HintRule = ({ reason, word }) => {
  const right = reason.kind === 'word' ? BY_LOWER_CASE.get(word.toLowerCase()) : undefined;
  return right ? `Case matters. Write: ${right}` : null;
};

/** Names of other tools. */
export const otherNameHint: HintRule = (context) => {
  if (context.reason.kind !== 'word') return null;
  const word = context.word.toLowerCase();
  const name = OTHER_NAMES.get(word);
  const keyword = name === undefined ? undefined : KEYWORDS.get(name);
  if (keyword?.kind === 'field' && (keyword.layers & LAYER_BIT[context.layer]) === 0) {
    return layerHint({ ...context, reason: { kind: 'layer', field: keyword.field } });
  }
  return name ? `Write: ${name}` : (OTHER_WORDS.get(word) ?? null);
};

/** Fields of other tools that mean either end of a connection. */
const BOTH_ENDS: ReadonlyMap<string, readonly [string, string]> = new Map([
  ['tcp.port', ['tcp.SrcPort', 'tcp.DstPort']],
  ['udp.port', ['udp.SrcPort', 'udp.DstPort']],
  ['ip.addr', ['ip.SrcAddr', 'ip.DstAddr']],
  ['ipv6.addr', ['ipv6.SrcAddr', 'ipv6.DstAddr']],
]);
const EQUALITY_AFTER = /^\s*(==?|!=)\s*([0-9A-Fa-f][0-9A-Fa-fx.:]*)/;

/** `tcp.port == 80`: one test for each end. */
export const bothEndsHint: HintRule = ({ reason, word, after }) => {
  const ends = reason.kind === 'word' ? BOTH_ENDS.get(word.toLowerCase()) : undefined;
  if (ends === undefined) return null;
  const [, operator = '==', value = '…'] = EQUALITY_AFTER.exec(after) ?? [];
  const tests = ends.map((field) => `${field} ${operator} ${value}`);
  return `Each end has a field. Write: (${tests.join(operator === '!=' ? ' and ' : ' or ')})`;
};

/**
 * Letters to insert, delete, change or swap with a neighbour to make one word of another.
 *
 * @returns the distance
 */
function editDistance(from: string, to: string): number {
  const width = to.length + 1;
  let beforeLast = new Array<number>(width).fill(0);
  let last = Array.from({ length: width }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column < width; column++) {
      const same = from.charAt(row - 1) === to.charAt(column - 1);
      const changed = (last[column - 1] ?? 0) + (same ? 0 : 1);
      let best = Math.min(changed, (last[column] ?? 0) + 1, (current[column - 1] ?? 0) + 1);
      const swapped =
        column > 1 &&
        from.charAt(row - 1) === to.charAt(column - 2) &&
        from.charAt(row - 2) === to.charAt(column - 1);
      if (swapped) best = Math.min(best, (beforeLast[column - 2] ?? 0) + 1);
      current.push(best);
    }
    beforeLast = last;
    last = current;
  }
  return last[to.length] ?? 0;
}

function isOnLayer(word: string, layer: Layer): boolean {
  const keyword = KEYWORDS.get(word);
  return keyword?.kind !== 'field' || (keyword.layers & LAYER_BIT[layer]) !== 0;
}

const MAX_SUGGESTIONS = 3;

/**
 * Known words close to a misspelt one, the closest first; those of the layer before others.
 *
 * @param value - whether a number is wanted, and so a macro
 */
function closestWords(word: string, layer: Layer, value: boolean): string[] {
  const limit = Math.min(4, Math.max(1, Math.floor(word.length / 3)));
  const lower = word.toLowerCase();
  const isValue = (known: string): boolean =>
    /^(?:number|event)$/.test(KEYWORDS.get(known)?.kind ?? '');
  const ranked = [...KEYWORDS.keys()]
    .filter((known) => isValue(known) === value)
    .map((known) => ({
      known,
      distance: editDistance(lower, known.toLowerCase()) + (isOnLayer(known, layer) ? 0 : 0.5),
    }))
    .filter(({ distance }) => distance <= limit)
    .sort((one, other) => one.distance - other.distance);
  const nearest = ranked[0]?.distance ?? 0;
  return ranked
    .filter(({ distance }) => distance <= nearest + 1)
    .slice(0, MAX_SUGGESTIONS)
    .map(({ known }) => known);
}

function fieldsOf(prefix: string): string[] {
  const start = `${prefix.toLowerCase()}.`;
  return FIELDS.filter(({ name }) => name.toLowerCase().startsWith(start)).map(({ name }) => name);
}

/** Misspelt names: the closest ones, or all fields of the header that was named. */
export const spellingHint: HintRule = ({ reason, word, before, layer }) => {
  if (reason.kind !== 'word' && reason.kind !== 'long-word') return null;
  if (!/^[A-Za-z_][A-Za-z0-9._]*$/.test(word) || word.length > 39) return null;
  const close = closestWords(word, layer, comparisonBefore(before) !== null);
  if (close.length > 0) return `Did you mean ${close.join(' or ')}?`;
  const [prefix = '', rest] = word.split('.');
  const fields = rest === undefined ? [] : fieldsOf(prefix);
  return fields.length > 0
    ? `The fields of ${prefix.toLowerCase()} are ${fields.join(', ')}`
    : null;
};

/** `(tcp?udp:icmp)`: colons belong to words, because of IPv6 addresses. */
export const ternaryColonHint: HintRule = ({ reason, word }) => {
  if (reason.kind !== 'word' || !word.includes(':')) return null;
  const parts = word.split(':');
  const known = parts.every((part) => KEYWORDS.has(part) || /^(?:\d+|0x[0-9a-fA-F]+|)$/.test(part));
  const named = parts.some((part) => KEYWORDS.has(part));
  if (!known || !named) return null;
  return `Colons belong to words, as in IPv6 addresses. With a blank: ${parts.join(': ').trim()}`;
};
