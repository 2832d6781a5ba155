/**
 * Decides about queued packets what the programs could not.
 *
 * When a filter is swapped, packets wait that met the rules of the one before. Nobody can tell them
 * from those that met the new ones, until a packet comes that was queued later than the swap: till then
 * a packet is taken when either filter matches it.
 *
 * @module
 */
import type { Slot } from '../divert/slot.ts';
import { compileMatcher } from '../filter/emit-js.ts';
import type { Filter } from '../filter/index.ts';
import { MATCH, type Matcher, MatchInput } from '../filter/match-input.ts';
import { ADDRESS_FLAGS } from '../packet/address.ts';
import { IPPROTO } from '../packet/layout.ts';
import type { QueueAttribution } from './attribution/attribution.ts';
import { swap32 } from './nfqueue/byte-order.ts';

export class Residual {
  readonly #input = new MatchInput();
  #matcher: Matcher;
  /** The programs decide everything, but for packets with very many IPv6 extension headers. */
  #isExact = false;
  /** Of the filter before, while packets may have met that one. */
  #before: { readonly matcher: Matcher; readonly isExact: boolean } | null = null;
  /** The last packet that may have met the filter before; null: not known (yet). */
  #beforeThrough: number | null = null;
  #isSwapped = true;

  /** @param filter whose rules are about to be installed */
  constructor(filter: Filter) {
    this.#matcher = compileMatcher(filter.tests, filter.layer);
  }

  /** Whether the programs decide everything. */
  get isExact(): boolean {
    return this.#isExact;
  }

  /** The rules of another filter are about to be installed. */
  expect(filter: Filter): void {
    const matcher = compileMatcher(filter.tests, filter.layer);
    this.#before = { matcher: this.#matcher, isExact: this.#isExact };
    this.#matcher = matcher;
    this.#isExact = false;
    this.#isSwapped = false;
    this.#beforeThrough = null;
  }

  /** They could not be. */
  cancel(): void {
    if (this.#before === null) return;
    this.#matcher = this.#before.matcher;
    this.#isExact = this.#before.isExact;
    this.#before = null;
    this.#isSwapped = true;
  }

  /**
   * The rules are installed.
   *
   * @param isExact the programs decide everything
   * @param lastId of the packets queued so far; null where the kernel does not tell
   */
  settle(isExact: boolean, lastId: number | null): void {
    this.#isExact = isExact;
    this.#isSwapped = true;
    this.#beforeThrough = lastId;
  }

  startRead(timestampNs: bigint): void {
    this.#input.timestampLow = Number(timestampNs & 0xffffffffn);
    this.#input.timestampHigh = Number(timestampNs >> 32n);
  }

  /** Everything that was queued has been read. */
  noteEmpty(): void {
    if (this.#isSwapped) this.#before = null;
  }

  /** Whether a packet is for the handle. */
  takes(slot: Slot, attribution: QueueAttribution | null): boolean {
    if (this.#before !== null) return this.#takesEither(slot, attribution);
    if (this.#isExact && !hasExtensionHeaders(slot)) return true;
    this.#fill(slot, attribution);
    return this.#matcher(this.#input) === MATCH.YES;
  }

  #takesEither(slot: Slot, attribution: QueueAttribution | null): boolean {
    const through = this.#beforeThrough;
    if (through !== null && ((swap32(slot.id) - through) | 0) > 0) {
      this.#before = null;
      return this.takes(slot, attribution);
    }
    this.#fill(slot, attribution);
    if (this.#matcher(this.#input) === MATCH.YES) return true;
    return this.#before?.matcher(this.#input) === MATCH.YES;
  }

  #fill(slot: Slot, attribution: QueueAttribution | null): void {
    const input = this.#input;
    input.memory = slot.memory;
    input.offset = slot.offset;
    input.length = slot.length;
    input.flags = slot.flags;
    input.interfaceIndex = slot.interfaceIndex;
    attribution?.fill(input, slot);
  }
}

const IPV6_NEXT_HEADER = 6;
const { HOPOPTS, ROUTING, FRAGMENT, AH, DSTOPTS, MH } = IPPROTO;
const EXTENSION_HEADERS: ReadonlySet<number> = new Set([
  HOPOPTS,
  ROUTING,
  FRAGMENT,
  AH,
  DSTOPTS,
  MH,
]);

function hasExtensionHeaders({ flags, memory, offset }: Slot): boolean {
  if ((flags & ADDRESS_FLAGS.IPV6) === 0) return false;
  return EXTENSION_HEADERS.has(memory[offset + IPV6_NEXT_HEADER] ?? 0);
}
