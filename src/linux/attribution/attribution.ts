/**
 * Attribution of one handle's packets: what its programs do for it, and the answer when a packet's
 * process is asked for.
 *
 * @module
 */
import type { ResolvedOptions } from '../../divert/options.ts';
import type { Attribution, Slot } from '../../divert/slot.ts';
import type { BpfOptions } from '../../filter/emit-bpf.ts';
import type { Filter } from '../../filter/index.ts';
import type { MatchInput } from '../../filter/match-input.ts';
import { ADDRESS_FLAGS } from '../../packet/address.ts';
import type { ProcessInfo } from '../../packet/process-info.ts';
import { namespaceCookie } from '../namespace-cookie.ts';
import { emitFlowOwner, FlowOwners } from './flow-owners.ts';
import { fillProcess, OWNER_PART_BYTES, readOwner } from './owner-part.ts';
import { emitProcessLookup, type ProcessLookup } from './process-lookup.ts';
import { ProcessWatch } from './process-watch.ts';

/** Whether a handle needs to know whose packets are. What is forwarded is no process's of this host. */
export function wantsProcess(
  filter: Filter,
  options: Pick<ResolvedOptions, 'attribution' | 'layer'>,
): boolean {
  return options.layer === 'network' && (options.attribution || filter.usesProcess);
}

/** What programs need to find a packet's process. */
class Lookups {
  readonly #watch: ProcessWatch;
  readonly #namespaceCookie: bigint;

  constructor(namespace: string | undefined) {
    this.#namespaceCookie = namespaceCookie(namespace);
    this.#watch = ProcessWatch.acquire();
  }

  /** When the sockets that were there before are known. */
  get ready(): Promise<unknown> {
    return this.#watch.tracker.settled;
  }

  /** For a program with these options. */
  lookup({ direction = 'outbound' }: BpfOptions): ProcessLookup {
    const { maps } = this.#watch.tracker;
    return { maps, namespaceCookie: this.#namespaceCookie, direction };
  }

  /** The options with the process known to the filter. */
  adapt(options: BpfOptions): BpfOptions {
    const lookup = this.lookup(options);
    return {
      ...options,
      process: { emitLookup: (assembler) => emitProcessLookup(assembler, lookup) },
    };
  }

  describe(part: Uint8Array | null, offset: number): ProcessInfo | null {
    const owner = part && readOwner(part, offset);
    return owner && this.#watch.directory.describe(owner);
  }

  close(): void {
    this.#watch.release();
  }
}

/** For packets out of a queue: their programs note whose each flow is. */
export class QueueAttribution implements Attribution {
  readonly #lookups: Lookups;
  readonly #flows: FlowOwners;
  /** When the queue was last seen empty: what is read later came later. */
  #emptyNs = 0n;

  /**
   * @param name of the map, for listings
   * @throws {@link UnsupportedError} naming the missing capability or kernel feature
   */
  constructor(name: string, namespace: string | undefined) {
    this.#lookups = new Lookups(namespace);
    try {
      this.#flows = new FlowOwners(name);
    } catch (error) {
      this.#lookups.close();
      throw error;
    }
  }

  get ready(): Promise<unknown> {
    return this.#lookups.ready;
  }

  /** Options of a program that notes the owner of each packet it matches. */
  adapt(options: BpfOptions): BpfOptions {
    const lookup = this.#lookups.lookup(options);
    return {
      ...this.#lookups.adapt(options),
      emitMatch: (assembler) => emitFlowOwner(assembler, lookup, this.#flows.fd),
    };
  }

  /** A packet was read: its process can be asked for. */
  note(slot: Slot): void {
    slot.attribution = this;
    slot.queuedAfterNs = this.#emptyNs;
  }

  /** The queue was empty at some time after this one. */
  noteEmpty(timestampNs: bigint): void {
    this.#emptyNs = timestampNs;
  }

  processOf(slot: Slot): ProcessInfo | null {
    return this.#lookups.describe(this.#find(slot), 0);
  }

  /** What a filter asks about the process. */
  fill(input: MatchInput, slot: Slot): void {
    fillProcess(input, this.#find(slot), 0);
  }

  close(): void {
    this.#flows.close();
    this.#lookups.close();
  }

  #find(slot: Slot): Uint8Array | null {
    const isOutbound = (slot.flags & ADDRESS_FLAGS.OUTBOUND) !== 0;
    return this.#flows.find(slot, isOutbound);
  }
}

/** For packets that programs copy: the owner is in front of each. */
export class RecordAttribution implements Attribution {
  readonly #lookups: Lookups;

  /** @throws {@link UnsupportedError} naming the missing capability or kernel feature */
  constructor(namespace: string | undefined) {
    this.#lookups = new Lookups(namespace);
  }

  get ready(): Promise<unknown> {
    return this.#lookups.ready;
  }

  adapt(options: BpfOptions): BpfOptions {
    return this.#lookups.adapt(options);
  }

  /** For a program's records. */
  lookup(options: BpfOptions): ProcessLookup {
    return this.#lookups.lookup(options);
  }

  processOf(slot: Slot): ProcessInfo | null {
    return this.#lookups.describe(slot.memory, slot.offset - OWNER_PART_BYTES);
  }

  fill(input: MatchInput, slot: Slot): void {
    fillProcess(input, slot.memory, slot.offset - OWNER_PART_BYTES);
  }

  close(): void {
    this.#lookups.close();
  }
}
