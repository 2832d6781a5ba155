/**
 * Advice to those who write tcpdump's language.
 *
 * @module
 */

import type { Layer } from '../../packet/address.ts';
import { addressBlock, addressFields, rangeText } from './address.ts';
import type { HintRule } from './context.ts';

const PRIMITIVE =
  /^(?:(src|dst)\s+)?(portrange|port|host|net)?\s*((?:\d[\w.:]*|[0-9A-Fa-f]*:[0-9A-Fa-f:.]+)(?:\s*[-/]\s*\d+)?)/;
const LENGTH_PRIMITIVE = /^(less|greater)\s+(\d+)/;
const PROTOCOL_BEFORE = /\b(tcp|udp)\s+$/;
const DIRECTION_BEFORE = /\b(src|dst)\s+$/;
const STARTS: ReadonlySet<string> = new Set([
  'src',
  'dst',
  'port',
  'portrange',
  'host',
  'net',
  'less',
  'greater',
]);

type Side = 'src' | 'dst' | undefined;

function bySide(fields: readonly [string, string], side: Side): string[] {
  if (side === 'src') return [fields[0]];
  return side === 'dst' ? [fields[1]] : [...fields];
}

function portFields(layer: Layer, protocol: string | undefined, side: Side): string[] {
  if (layer === 'flow' || layer === 'socket') return bySide(['localPort', 'remotePort'], side);
  const protocols = protocol ? [protocol] : ['tcp', 'udp'];
  return protocols.flatMap((name) => bySide([`${name}.SrcPort`, `${name}.DstPort`], side));
}

function joined(tests: readonly string[]): string {
  return tests.length > 1 ? `(${tests.join(' or ')})` : tests.join('');
}

function addressTests(layer: Layer, side: Side, operand: string): string | null {
  const [address = '', prefix] = operand.split('/').map((part) => part.trim());
  const fields = bySide(addressFields(layer, address), side);
  if (prefix === undefined) return joined(fields.map((field) => `${field} == ${address}`));
  const block = addressBlock(address, Number(prefix));
  return block && joined(fields.map((field) => rangeText(field, '==', block.first, block.last)));
}

function portTests(fields: readonly string[], operand: string): string {
  const [low = '', high] = operand.split('-').map((part) => part.trim());
  return joined(
    fields.map((field) => (high ? rangeText(field, '==', low, high) : `${field} == ${low}`)),
  );
}

/** `tcp port 443`, `src net 10.0.0.0/8`, `host 1.2.3.4`. */
export const bpfHint: HintRule = ({ reason, word, before, after, layer }) => {
  if (reason.kind !== 'word' || !STARTS.has(word)) return null;
  const text = `${word}${after}`;
  const [, bound, size] = LENGTH_PRIMITIVE.exec(text) ?? [];
  if (bound && size) {
    return `This is tcpdump's language. Write: length ${bound === 'less' ? '<=' : '>='} ${size}`;
  }
  const [, given, kind, operand] = PRIMITIVE.exec(text) ?? [];
  if (!operand)
    return "This is tcpdump's language. Write tests such as: tcp.DstPort == 80 or ip.DstAddr == 1.2.3.4";
  const side = (given ?? DIRECTION_BEFORE.exec(before)?.[1]) as Side;
  const ports = kind === 'port' || kind === 'portrange';
  const protocol = PROTOCOL_BEFORE.exec(before)?.[1];
  const rewrite = ports
    ? portTests(portFields(layer, protocol, side), operand)
    : addressTests(layer, side, operand);
  if (rewrite === null) return null;
  if (!ports || !protocol) return `This is tcpdump's language. Write: ${rewrite}`;
  const whole = `${protocol} ${text.slice(0, text.indexOf(operand) + operand.length)}`;
  return `This is tcpdump's language. Instead of "${whole}" write: ${rewrite}`;
};
