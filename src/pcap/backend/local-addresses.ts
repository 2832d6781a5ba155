/**
 * Which addresses are this host's, for captures that do not say which way packets went.
 *
 * @module
 */

import { DivertError } from '../../errors.ts';
import { readUint32 } from '../../packet/bytes.ts';
import { parseIPv4Address, parseIPv6Address } from '../../packet/ip-text.ts';

const IPV4 = { SOURCE: 12, DESTINATION: 16, WORDS: 1 } as const;
const IPV6 = { SOURCE: 8, DESTINATION: 24, WORDS: 4 } as const;
const WORD_BITS = 32;
const ALWAYS_LOCAL = ['127.0.0.0/8', '::1'] as const;

/** As many leading bits of the words as the masks have. */
interface Prefix {
  readonly words: readonly number[];
  readonly masks: readonly number[];
}

/** @internal */
export class LocalAddresses {
  readonly #ipv4: Prefix[] = [];
  readonly #ipv6: Prefix[] = [];
  /** Addresses were given, so that all others are known to be somebody else's. */
  readonly areKnown: boolean;

  /** @throws {@link DivertError} `invalid-parameter` for text that is no address or prefix */
  constructor(texts: readonly string[]) {
    this.areKnown = texts.length > 0;
    for (const text of [...ALWAYS_LOCAL, ...texts]) {
      const prefix = parsePrefix(text);
      (prefix.words.length === IPV4.WORDS ? this.#ipv4 : this.#ipv6).push(prefix);
    }
  }

  /** Whether an IP packet comes from one of them. */
  hasSource(memory: Uint8Array, offset: number, isIPv6: boolean): boolean {
    return isIPv6
      ? includes(this.#ipv6, memory, offset + IPV6.SOURCE)
      : includes(this.#ipv4, memory, offset + IPV4.SOURCE);
  }

  /** Whether an IP packet goes to one of them. */
  hasDestination(memory: Uint8Array, offset: number, isIPv6: boolean): boolean {
    return isIPv6
      ? includes(this.#ipv6, memory, offset + IPV6.DESTINATION)
      : includes(this.#ipv4, memory, offset + IPV4.DESTINATION);
  }
}

function includes(prefixes: readonly Prefix[], memory: Uint8Array, at: number): boolean {
  for (const prefix of prefixes) if (covers(prefix, memory, at)) return true;
  return false;
}

function covers({ words, masks }: Prefix, memory: Uint8Array, at: number): boolean {
  for (let index = 0; index < words.length; index++) {
    const difference = readUint32(memory, at + 4 * index) ^ (words[index] ?? 0);
    if ((difference & (masks[index] ?? 0)) !== 0) return false;
  }
  return true;
}

function parsePrefix(text: string): Prefix {
  const [, address = '', length] = /^([^/]*)(?:\/(\d{1,3}))?$/.exec(text) ?? [];
  const words = parseWords(address);
  const bits = (words?.length ?? 0) * WORD_BITS;
  const kept = length === undefined ? bits : Number(length);
  if (words === null || kept > bits) {
    throw new DivertError(
      'invalid-parameter',
      `Option localAddresses has ${JSON.stringify(text)}, which is no address.`,
      { hint: "Write addresses or networks, e.g. '192.0.2.7' or 'fd00::/8'." },
    );
  }
  const masks = words.map((_, index) => maskOf(kept - index * WORD_BITS));
  return { words, masks };
}

/** The most significant word first. */
function parseWords(address: string): readonly number[] | null {
  if (!address.includes(':')) {
    const word = parseIPv4Address(address);
    return word === null ? null : [word];
  }
  return parseIPv6Address(address)?.reverse() ?? null;
}

function maskOf(bits: number): number {
  if (bits <= 0) return 0;
  return bits >= WORD_BITS ? -1 : -1 << (WORD_BITS - bits);
}
