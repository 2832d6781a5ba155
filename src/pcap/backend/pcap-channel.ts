/**
 * One handle's packets of a capture file.
 *
 * @module
 */

import type { ChannelCounters, ChannelListener, NetworkChannel } from '../../divert/backend.ts';
import type { ResolvedOptions } from '../../divert/options.ts';
import { Slot, type SlotOwner } from '../../divert/slot.ts';
import { verifyChecksums } from '../../divert/verify-checksums.ts';
import { compileMatcher } from '../../filter/emit-js.ts';
import { encodeProcessName } from '../../filter/extended/process-name.ts';
import type { Filter } from '../../filter/index.ts';
import { MATCH, type Matcher, MatchInput } from '../../filter/match-input.ts';
import { ADDRESS_FLAGS, type Address, encodeFlags } from '../../packet/address.ts';
import type { ProcessInfo } from '../../packet/process-info.ts';
import type { CaptureLine } from './capture-line.ts';
import { metTraveller, NOT_IP, type Traveller, withBytes } from './traveller.ts';

const { OUTBOUND, LOOPBACK, IMPOSTOR, IPV6, SNIFFED, IP_CHECKSUM } = ADDRESS_FLAGS;
/** The forward layer knows of no direction. */
const DIRECTION_FLAGS = OUTBOUND | LOOPBACK;

const COPIED_FLAGS = DIRECTION_FLAGS | IPV6;

/** A user id that nobody has (`(uid_t) -1`): files do not say whose a process is. */
const UNKNOWN_USER = 0xffff_ffff;

/** Every slot has memory of its own: there is nothing to take back. */
const OWNER: SlotOwner = { release: () => {} };
const HALF_BITS = 32n;

export class PcapChannel implements NetworkChannel {
  readonly isPaced = true;
  readonly options: ResolvedOptions;
  readonly #line: CaptureLine;
  readonly #input = new MatchInput();
  #matcher: Matcher;
  #listener: ChannelListener | undefined;
  /** Takes packets; not with access 'send', and not after shutdown. */
  #isAttached: boolean;
  #isEnded = false;
  #waiting: Traveller[] = [];
  #waitingBytes = 0;
  /** With the handle, by id. */
  readonly #held = new Map<number, Traveller>();
  #lastId = 0;
  #offered = 0;
  #matched = 0;
  #dropped = 0;

  constructor(line: CaptureLine, filter: Filter, options: ResolvedOptions) {
    this.#line = line;
    this.options = options;
    this.#matcher = compileMatcher(filter.tests, filter.layer);
    this.#isAttached = options.access !== 'send';
  }

  /** Nobody asks it for packets: the file has to go by on its own. */
  get isPassive(): boolean {
    return !this.#isAttached || this.options.mode === 'drop';
  }

  get waitingCount(): number {
    return this.#waiting.length;
  }

  /** Packets here or with the program that may still go on. */
  get holdsPackets(): boolean {
    return this.options.mode === 'divert' && (this.#waiting.length > 0 || this.#held.size > 0);
  }

  /** Has as many packets as are wanted, or as much of them as a queue may have. */
  isFull(budget: number): boolean {
    return this.#waiting.length >= budget || this.#waitingBytes >= this.options.queueSizeBytes;
  }

  start(listener: ChannelListener): void {
    this.#listener = listener;
    this.#line.start();
  }

  read(budget: number, sink: (slot: Slot) => void): boolean {
    if (this.#waiting.length === 0) this.#line.pull(this, budget);
    const taken = this.#waiting.splice(0, budget);
    for (const traveller of taken) {
      this.#waitingBytes -= traveller.length;
      sink(this.#slotOf(traveller));
    }
    if (taken.length === 0) this.#line.settle();
    return taken.length === budget;
  }

  accept(slot: Slot): void {
    const { memory, offset, length } = slot;
    if (this.options.mode === 'sniff') this.#copy(slot, memory.slice(offset, offset + length));
    else this.#goOn(this.#take(slot));
  }

  acceptChanged(slot: Slot, bytes: Uint8Array): void {
    if (this.options.mode === 'sniff') this.#copy(slot, new Uint8Array(bytes));
    else this.#goOn(withBytes(this.#take(slot), bytes));
  }

  drop(slot: Slot): void {
    if (this.options.mode === 'sniff') return;
    this.#line.drop(this.#take(slot), 'by a handle');
    this.#line.settle();
  }

  flush(): void {}

  drained(): Promise<void> {
    return this.#line.drained();
  }

  inject(bytes: Uint8Array, address: Address): void {
    const isIPv6 = (bytes[0] ?? 0) >> 4 === 6;
    const flags = (encodeFlags(address) & DIRECTION_FLAGS) | IMPOSTOR | (isIPv6 ? IPV6 : 0);
    this.#line.inject(new Uint8Array(bytes), flags, address.interfaceIndex, this);
  }

  setFilter(filter: Filter): void {
    this.#matcher = compileMatcher(filter.tests, filter.layer);
  }

  detach(): void {
    this.#isAttached = false;
    this.#line.start();
  }

  counters(): ChannelCounters {
    return {
      offered: this.#offered,
      matched: this.#matched,
      passed: 0,
      bypassed: 0,
      dropped: this.#dropped,
      kernelQueue: 0,
      socketOverrun: 0,
      lateVerdict: 0,
      lateChanged: 0,
      ringFull: 0,
    };
  }

  async close(): Promise<void> {
    this.#isAttached = false;
    this.#held.clear();
    const { mode, onExit } = this.options;
    const waiting = mode === 'divert' ? this.#waiting.splice(0) : [];
    for (const traveller of waiting) {
      if (onExit === 'pass') this.#goOn(traveller);
      else this.#line.drop(traveller, 'by a handle');
    }
    await this.#line.remove(this);
  }

  /** Whether the filter wants a packet. */
  matches(traveller: Traveller): boolean {
    if (!this.#isAttached || traveller.offset === NOT_IP) return false;
    const { packet, offset, length, flags, interfaceIndex, process } = traveller;
    const input = this.#input;
    input.memory = packet.bytes;
    input.offset = offset;
    input.length = length;
    input.flags = this.#visible(flags);
    input.interfaceIndex = interfaceIndex;
    setProcess(input, process);
    input.timestampLow = Number(BigInt.asUintN(32, packet.timestampNs));
    input.timestampHigh = Number(BigInt.asUintN(32, packet.timestampNs >> HALF_BITS));
    return this.#matcher(input) === MATCH.YES;
  }

  /**
   * Meets a packet.
   *
   * @returns whether it stays here: 'taken' is for the program, 'dropped' for nobody
   */
  meet(traveller: Traveller): 'taken' | 'dropped' | 'goes on' {
    if (!this.#isAttached) return 'goes on';
    this.#offered++;
    if (!this.matches(traveller)) return 'goes on';
    this.#matched++;
    if (this.options.mode === 'drop') {
      this.#dropped++;
      return 'dropped';
    }
    this.#waiting.push(traveller);
    this.#waitingBytes += traveller.length;
    return this.options.mode === 'sniff' ? 'goes on' : 'taken';
  }

  /** Tells the handle to look for packets. */
  wake(): void {
    this.#listener?.ready();
  }

  /** Tells the handle that nothing comes any more, or why. */
  end(failure: { readonly error: unknown } | null): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (failure) this.#listener?.failed(failure.error);
    else this.#listener?.ended?.();
  }

  /** Tells the handle that the output broke. */
  fail(error: unknown): void {
    this.#listener?.failed(error);
  }

  #goOn(traveller: Traveller): void {
    this.#line.route(metTraveller(traveller), this);
    this.#line.settle();
  }

  /** The packet itself went on long ago: another one like it is put in. */
  #copy(slot: Slot, bytes: Uint8Array): void {
    this.#line.inject(bytes, (slot.flags & COPIED_FLAGS) | IMPOSTOR, slot.interfaceIndex, this);
  }

  #take(slot: Slot): Traveller {
    const traveller = this.#held.get(slot.id);
    if (!traveller) throw new Error(`packet ${slot.id} was decided about twice`);
    this.#held.delete(slot.id);
    return traveller;
  }

  #slotOf(traveller: Traveller): Slot {
    const { packet, offset, length, originalLength, flags } = traveller;
    const isSniffed = this.options.mode === 'sniff';
    const kept = isSniffed ? Math.min(length, this.options.snapLength) : length;
    const slot = new Slot(packet.bytes.slice(offset, offset + kept), OWNER);
    slot.id = ++this.#lastId;
    slot.length = kept;
    slot.originalLength = originalLength;
    slot.flags = this.#visible(flags) | IP_CHECKSUM;
    const { process } = traveller;
    if (process !== null && this.options.attribution) {
      slot.attribution = { processOf: () => process };
    }
    if (isSniffed) slot.flags |= SNIFFED;
    else slot.flags |= verifyChecksums(slot.memory, 0, kept);
    slot.interfaceIndex = traveller.interfaceIndex;
    slot.timestampNs = packet.timestampNs;
    slot.undecided = true;
    if (!isSniffed) this.#held.set(slot.id, traveller);
    return slot;
  }

  #visible(flags: number): number {
    return this.options.layer === 'forward' ? flags & ~DIRECTION_FLAGS : flags;
  }
}

/** Tells a filter whose the packet is. */
function setProcess(input: MatchInput, process: ProcessInfo | null): void {
  input.hasProcess = process !== null;
  input.processId = process?.pid ?? 0;
  if (process === null) return;
  const [word0, word1, word2, word3] = encodeProcessName(process.name);
  input.userId = UNKNOWN_USER;
  input.processName0 = word0;
  input.processName1 = word1;
  input.processName2 = word2;
  input.processName3 = word3;
}
