/**
 * The network and forward layers on Linux: the filter as programs in nf_tables rules, what they
 * match in an NFQUEUE.
 *
 * @module
 */
import type { ChannelCounters, ChannelListener, NetworkChannel } from '../divert/backend.ts';
import type { ResolvedOptions } from '../divert/options.ts';
import type { Slot } from '../divert/slot.ts';
import { compileMatcher } from '../filter/emit-js.ts';
import type { Filter } from '../filter/index.ts';
import { MATCH, type Matcher, MatchInput } from '../filter/match-input.ts';
import { ADDRESS_FLAGS } from '../packet/address.ts';
import { IPPROTO } from '../packet/layout.ts';
import { QueueAttribution, wantsProcess } from './attribution/attribution.ts';
import { loadProgram, type Program } from './bpf/program.ts';
import { ChannelSets, type FilterSetMaps } from './filter-sets.ts';
import { prepareFragments } from './fragments.ts';
import { compileForHooks, type HookOptions, type HookProgram, hookPriority } from './hooks.ts';
import { type Destination, Injector } from './inject/injector.ts';
import { lastChains } from './inject/last-chains.ts';
import { checkChangedSuperPacket } from './large-packets.ts';
import { swap32 } from './nfqueue/byte-order.ts';
import { CHUNK_SLOTS } from './nfqueue/chunk.ts';
import { MAX_COPY_BYTES } from './nfqueue/constants.ts';
import { Queue } from './nfqueue/queue.ts';
import { QueueReceiver } from './nfqueue/receiver.ts';
import { Repeats } from './nfqueue/repeats.ts';
import { VerdictWriter } from './nfqueue/verdicts.ts';
import { QueueWakeup } from './nfqueue/wakeup.ts';
import { NF } from './nftables/constants.ts';
import { type RuleAction, type RuleGroup, type RuleSpec, Ruleset } from './nftables/ruleset.ts';

/** As `bpftool prog` shows it, 15 letters at most: whose it is. */
const PROGRAM_NAME = `ndivert_${process.pid}`;

export class LinuxNetworkChannel implements NetworkChannel {
  readonly #options: ResolvedOptions;
  readonly #ruleset: Ruleset;
  readonly #queue: Queue;
  readonly #receiver: QueueReceiver;
  readonly #verdicts: VerdictWriter;
  readonly #input = new MatchInput();
  readonly #rules: RuleGroup;
  readonly #sets = new ChannelSets(PROGRAM_NAME);
  /** Decides what the programs could not. */
  #matcher: Matcher = () => MATCH.YES;
  /** The programs decide everything, but for packets with very many IPv6 extension headers. */
  #isExact = true;
  #wakeup: QueueWakeup | undefined;
  #sink: (slot: Slot) => void = () => {};
  readonly #repeats = new Repeats();
  /** Packets of this read have got their verdict here. */
  #isDecided = false;
  #passed = 0;
  #dropped = 0;
  #closed = false;
  /** Packets go on with the next flush. */
  #hasAccepted = false;
  #injector: Injector | undefined;
  /** Whose packets are, when somebody wants to know. */
  #attribution: QueueAttribution | null = null;

  /** @throws {@link UnsupportedError} naming the missing capability or kernel feature */
  constructor(filter: Filter, options: ResolvedOptions) {
    this.#options = options;
    this.#ruleset = Ruleset.acquire(options.namespace);
    try {
      const { namespace, onOverload, largePackets } = options;
      this.#queue = new Queue({ namespace, failOpen: onOverload === 'pass', largePackets });
    } catch (error) {
      void this.#ruleset.release();
      throw error;
    }
    this.#receiver = new QueueReceiver(this.#queue.socket.fd);
    this.#verdicts = new VerdictWriter(this.#queue.socket.fd, this.#queue.number);
    try {
      this.#rules = this.#withRules(filter, (rules) =>
        this.#ruleset.install(rules, () => this.#repeats.shift(this.#lastQueuedId())),
      );
    } catch (error) {
      this.#attribution?.close();
      void this.#queue.close().then(() => this.#ruleset.release());
      throw error;
    }
  }

  get ready(): Promise<unknown> | undefined {
    return this.#attribution?.ready;
  }

  start(listener: ChannelListener): void {
    const { fd } = this.#queue.socket;
    this.#wakeup = new QueueWakeup(fd, listener, () => this.#receiver.packets);
  }

  read(budget: number, sink: (slot: Slot) => void): boolean {
    const timestampNs = process.hrtime.bigint();
    this.#input.timestampLow = Number(timestampNs & 0xffffffffn);
    this.#input.timestampHigh = Number(timestampNs >> 32n);
    this.#sink = sink;
    let more = true;
    for (let read = 0; more && read < budget; read += CHUNK_SLOTS) {
      more = this.#receiver.read(timestampNs, this.#onPacket) === CHUNK_SLOTS;
    }
    if (!more) this.#attribution?.noteEmpty(timestampNs);
    // Nobody else knows of the packets that were not for this handle.
    if (this.#isDecided) this.#flushVerdicts();
    this.#isDecided = false;
    return more;
  }

  accept(slot: Slot): void {
    if (this.#repeats.concerns(swap32(slot.id))) {
      const { memory, offset, length } = slot;
      this.#repeats.accepted(memory.subarray(offset, offset + length));
    }
    this.#hasAccepted = true;
    this.#verdicts.accept(slot.id);
  }

  acceptChanged(slot: Slot, bytes: Uint8Array): void {
    if (slot.isLarge) checkChangedSuperPacket(bytes);
    if (bytes.length > MAX_COPY_BYTES || this.#isSegmentNow(slot, bytes)) {
      this.inject(bytes, {
        outbound: (slot.flags & ADDRESS_FLAGS.OUTBOUND) !== 0,
        loopback: (slot.flags & ADDRESS_FLAGS.LOOPBACK) !== 0,
        interfaceIndex: slot.interfaceIndex,
      });
      this.drop(slot);
      return;
    }
    if (this.#repeats.concerns(swap32(slot.id))) this.#repeats.accepted(bytes);
    this.#hasAccepted = true;
    this.#verdicts.acceptChanged(slot.id, bytes);
  }

  drop(slot: Slot): void {
    this.#verdicts.drop(slot.id);
  }

  flush(): void {
    if (this.#closed) return;
    this.#hasAccepted = false;
    this.#flushVerdicts();
  }

  #flushVerdicts(): void {
    const { packets, lastId } = this.#receiver;
    this.#verdicts.flush();
    if (this.#verdicts.decided === packets) this.#verdicts.catchUp(lastId);
  }

  inject(bytes: Uint8Array, address: Destination): void {
    // Behind what was sent before it; that a packet was dropped can wait.
    if (this.#hasAccepted) this.flush();
    this.#needInjector().inject(bytes, address);
  }

  setFilter(filter: Filter): void {
    this.#withRules(filter, (rules) => this.#rules.replace(rules));
  }

  detach(): void {
    this.#rules.remove();
  }

  counters(): ChannelCounters {
    const { offered, matched } = this.#rules.counters();
    const { queueDropped, userDropped } = this.#queue.kernelDrops();
    const inKernel = this.#options.mode === 'drop' && this.#isExact;
    // Where the kernel's counters are for root only, the last balance shows what never came.
    const isLast = this.#closed && !this.#queue.isCounted && !inKernel;
    const bypassed = this.#options.onOverload === 'pass' ? this.#bypassed(matched) : 0;
    const unread = matched - this.#receiver.packets - bypassed;
    const missing = isLast ? Math.max(0, unread) : 0;
    return {
      offered,
      matched,
      passed: this.#passed,
      bypassed,
      dropped: inKernel ? matched : this.#dropped,
      kernelQueue: queueDropped + missing,
      socketOverrun: userDropped,
      lateVerdict: this.#receiver.lateVerdicts,
      lateChanged: this.#receiver.lateChanged,
      ringFull: 0,
    };
  }

  /** Matched packets that the kernel did not queue, or did not get into the socket, and let go on. */
  #bypassed(matched: number): number {
    const { packets, skipped } = this.#receiver;
    if (!this.#queue.isCounted) return skipped;
    const queued = this.#queue.lastId();
    const unread = this.#queue.waiting() - (packets - this.#verdicts.sent);
    return Math.max(0, matched - queued) + Math.max(0, queued - packets - Math.max(0, unread));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.detach();
    this.#wakeup?.close();
    await this.#queue.close();
    this.#rules.close();
    this.#sets.close();
    this.#attribution?.close();
    await this.#injector?.close();
    await this.#ruleset.release();
  }

  /** Whether a super-packet became so short that the kernel, which would cut it still, drops it. */
  #isSegmentNow(slot: Slot, bytes: Uint8Array): boolean {
    if (!slot.isLarge || bytes.length >= slot.length) return false;
    const mtuBytes = this.#needInjector().mtuOf(slot.interfaceIndex);
    return mtuBytes !== null && bytes.length <= mtuBytes;
  }

  #needInjector(): Injector {
    if (!this.#injector) {
      const { namespace, priority, layer } = this.#options;
      this.#ruleset.addLastChains(lastChains());
      this.#injector = new Injector({ namespace, priority, layer, programName: PROGRAM_NAME });
    }
    return this.#injector;
  }

  #withRules<T>(filter: Filter, use: (rules: readonly RuleSpec[]) => T): T {
    return this.#sets.swap(filter, (sets) => this.#withPrograms(filter, sets, use));
  }

  /** Loads the programs of a filter for as long as `use` needs their descriptors; rules keep them. */
  #withPrograms<T>(
    filter: Filter,
    sets: FilterSetMaps['maps'],
    use: (rules: readonly RuleSpec[]) => T,
  ): T {
    const hooks = this.#compile(filter, sets);
    const exact = hooks.every(({ program }) => program.exact);
    const inKernel = this.#options.mode === 'drop' && exact;
    const action: RuleAction = inKernel
      ? { kind: 'verdict', code: NF.DROP }
      : { kind: 'queue', queueNumber: this.#queue.number };
    const priority = hookPriority(this.#options.priority);
    const programs: Program[] = [];
    try {
      const rules = hooks.map(({ hook, conditions, program }): RuleSpec => {
        const loaded = loadProgram(program.instructions, { name: PROGRAM_NAME });
        programs.push(loaded);
        return { hook, priority, conditions, programFd: loaded.fd, action };
      });
      const result = use(rules);
      this.#matcher = compileMatcher(filter.tests, filter.layer);
      this.#isExact = exact;
      return result;
    } finally {
      for (const program of programs) program.close();
    }
  }

  #compile(filter: Filter, sets: FilterSetMaps['maps']): HookProgram[] {
    const { access, priority, fragments, largePackets } = this.#options;
    if (access === 'send') return [];
    prepareFragments(this.#ruleset, filter, this.#options);
    if (wantsProcess(filter, this.#options)) {
      this.#attribution ??= new QueueAttribution(PROGRAM_NAME, this.#options.namespace);
    }
    const adapt: HookOptions['adapt'] = (hookOptions) => {
      const adapted = { ...(this.#attribution?.adapt(hookOptions) ?? hookOptions), sets };
      if (!largePackets) return adapted;
      // The reader gets the very bytes that the program saw.
      return { ...adapted, superPackets: 'whole', bigPackets: true, checksums: 'final' };
    };
    return compileForHooks(filter, priority, { fragments, adapt });
  }

  /** Every matched packet is queued: without the kernel's own count, the rules' is the same. */
  #lastQueuedId(): number {
    return this.#queue.isCounted ? this.#queue.lastId() : this.#rules.counters().matched;
  }

  readonly #onPacket = (slot: Slot): void => {
    this.#attribution?.note(slot);
    const isCertain = this.#isExact && !hasExtensionHeaders(slot);
    if (this.#repeats.take(slot) || (!isCertain && !this.#matches(slot))) {
      this.accept(slot);
      this.#passed++;
    } else if (this.#options.mode === 'drop') {
      this.#verdicts.drop(slot.id);
      this.#dropped++;
    } else {
      this.#sink(slot);
      return;
    }
    this.#isDecided = true;
    slot.undecided = false;
    slot.release();
  };

  #matches(slot: Slot): boolean {
    const input = this.#input;
    input.memory = slot.memory;
    input.offset = slot.offset;
    input.length = slot.length;
    input.flags = slot.flags;
    input.interfaceIndex = slot.interfaceIndex;
    this.#attribution?.fill(input, slot);
    return this.#matcher(input) === MATCH.YES;
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
