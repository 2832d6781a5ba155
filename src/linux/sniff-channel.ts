/**
 * Sniffing on Linux: the filter's program itself copies what it matches into a ring buffer and
 * lets the packet go on. No system call per packet, on either side.
 *
 * @module
 */
import type { ChannelCounters, ChannelListener, NetworkChannel } from '../divert/backend.ts';
import type { ResolvedOptions } from '../divert/options.ts';
import type { Slot } from '../divert/slot.ts';
import type { BpfOptions } from '../filter/emit-bpf.ts';
import { compileMatcher } from '../filter/emit-js.ts';
import type { Filter } from '../filter/index.ts';
import { MATCH, type Matcher, MatchInput } from '../filter/match-input.ts';
import { ADDRESS_FLAGS } from '../packet/address.ts';
import { RecordAttribution, wantsProcess } from './attribution/attribution.ts';
import { loadProgram, type Program } from './bpf/program.ts';
import { closeInTurn } from './close-all.ts';
import { ChannelSets, type FilterSetMaps } from './filter-sets.ts';
import { prepareFragments } from './fragments.ts';
import { compileForHooks, type HookOptions, type HookProgram, hookPriority } from './hooks.ts';
import { type Destination, Injector } from './inject/injector.ts';
import { lastChains } from './inject/last-chains.ts';
import { NF } from './nftables/constants.ts';
import type { RuleSpec } from './nftables/rule.ts';
import type { RuleGroup } from './nftables/rule-group.ts';
import { Ruleset } from './nftables/ruleset.ts';
import type { InterfaceRange } from './output-interfaces.ts';
import { SniffReader } from './sniff-reader.ts';
import { CONSTANTS, emitRecord, MAX_SNAP_LENGTH, type RecordOptions } from './sniff-record.ts';
import { SniffWakeup } from './sniff-wakeup.ts';

/** As `bpftool prog` and `bpftool map` show it, 15 letters at most: whose it is. */
const KERNEL_NAME = `ndivert_${process.pid}`;

export class SniffChannel implements NetworkChannel {
  readonly #options: ResolvedOptions;
  readonly #ruleset: Ruleset;
  readonly #reader: SniffReader;
  readonly #rules: RuleGroup;
  readonly #sets = new ChannelSets(KERNEL_NAME);
  readonly #input = new MatchInput();
  /** By generation of the filter: decides what its programs could not, null when they are exact. */
  readonly #residuals: (Matcher | null)[] = new Array(CONSTANTS.GENERATION_MASK + 1).fill(null);
  #generation = 0;
  /** Whose packets are, when somebody wants to know. */
  #attribution: RecordAttribution | undefined;
  #wakeup: SniffWakeup | undefined;
  #injector: Injector | undefined;
  #sink: (slot: Slot) => void = () => {};
  #passed = 0;
  #closed = false;

  /** @throws {@link UnsupportedError} naming the missing capability or kernel feature */
  constructor(filter: Filter, options: ResolvedOptions) {
    this.#options = options;
    this.#ruleset = Ruleset.acquire(options.namespace);
    let reader: SniffReader | undefined;
    try {
      reader = new SniffReader(KERNEL_NAME, options.queueSizeBytes);
      this.#reader = reader;
      this.#rules = this.#withRules(filter, (rules) => this.#ruleset.install(rules));
    } catch (error) {
      reader?.close();
      this.#attribution?.close();
      void this.#ruleset.release();
      throw error;
    }
  }

  get ready(): Promise<unknown> | undefined {
    return this.#attribution?.ready;
  }

  start(listener: ChannelListener): void {
    this.#wakeup = new SniffWakeup(this.#reader.ring, listener);
  }

  read(budget: number, sink: (slot: Slot) => void): boolean {
    this.#sink = sink;
    const wakeup = this.#wakeup;
    const count = this.#reader.read(budget, wakeup?.isPolling ?? false, this.#onPacket);
    if (wakeup && count > 0) wakeup.hasTaken = true;
    return count === budget;
  }

  /** The packet itself went on long ago: another one like it is put in. */
  accept(slot: Slot): void {
    const { memory, offset, length } = slot;
    this.acceptChanged(slot, memory.subarray(offset, offset + length));
  }

  acceptChanged(slot: Slot, bytes: Uint8Array): void {
    this.inject(bytes, {
      outbound: (slot.flags & ADDRESS_FLAGS.OUTBOUND) !== 0,
      loopback: (slot.flags & ADDRESS_FLAGS.LOOPBACK) !== 0,
      interfaceIndex: slot.interfaceIndex,
    });
  }

  /** There is nothing to tell the kernel about a copy. */
  drop(): void {}

  flush(): void {}

  inject(bytes: Uint8Array, address: Destination): void {
    if (!this.#injector) {
      const { namespace, priority, layer } = this.#options;
      this.#ruleset.addLastChains(lastChains());
      this.#injector = new Injector({ namespace, priority, layer, programName: KERNEL_NAME });
    }
    this.#injector.inject(bytes, address);
  }

  setFilter(filter: Filter): void {
    this.#withRules(filter, (rules) => this.#rules.replace(rules));
  }

  detach(): void {
    this.#rules.remove();
  }

  counters(): ChannelCounters {
    const { matched, ringFull } = this.#reader.counts();
    return {
      offered: this.#rules.counters().offered,
      matched,
      passed: this.#passed,
      bypassed: 0,
      dropped: 0,
      kernelQueue: 0,
      socketOverrun: 0,
      lateVerdict: 0,
      lateChanged: 0,
      ringFull,
    };
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await closeInTurn([
      () => this.detach(),
      () => this.#rules.close(),
      () => this.#sets.close(),
      () => this.#wakeup?.close(),
      () => this.#reader.close(),
      () => this.#attribution?.close(),
      () => this.#injector?.close(),
      () => this.#ruleset.release(),
    ]);
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
    const generation = (this.#generation + 1) & CONSTANTS.GENERATION_MASK;
    const { hooks, exact } = this.#compile(filter, sets, generation);
    const priority = hookPriority(this.#options.priority);
    const programs: Program[] = [];
    try {
      const rules = hooks.map(({ hook, conditions, program }): RuleSpec => {
        const loaded = loadProgram(program.instructions, { name: KERNEL_NAME });
        programs.push(loaded);
        // Never reached: the program says of every packet that it does not match.
        const action = { kind: 'verdict', code: NF.ACCEPT } as const;
        return { hook, priority, conditions, programFd: loaded.fd, action };
      });
      const result = use(rules);
      this.#residuals[generation] = exact ? null : compileMatcher(filter.tests, filter.layer);
      this.#generation = generation;
      return result;
    } finally {
      for (const program of programs) program.close();
    }
  }

  #compile(
    filter: Filter,
    sets: FilterSetMaps['maps'],
    generation: number,
  ): { hooks: HookProgram[]; exact: boolean } {
    if (this.#options.access === 'send') return { hooks: [], exact: true };
    const compile = (snapLength: number): HookProgram[] => {
      const adapt: HookOptions['adapt'] = (options, output) => {
        const { speculation = false } = options;
        const own = this.#recordOptions(options, output);
        const record = { ...own, snapLength, generation, speculation };
        return {
          ...(this.#attribution?.adapt(options) ?? options),
          sets,
          // Its reader gets the very bytes that the program saw.
          superPackets: 'whole',
          checksums: 'final',
          emitMatch: (assembler) => emitRecord(assembler, record),
        };
      };
      const { priority, fragments } = this.#options;
      return compileForHooks(filter, priority, { adapt, splitOutput: true, fragments });
    };
    prepareFragments(this.#ruleset, filter, this.#options);
    if (wantsProcess(filter, this.#options)) {
      this.#attribution ??= new RecordAttribution(this.#options.namespace);
      this.#reader.attribution = this.#attribution;
    }
    const hooks = compile(this.#options.snapLength);
    if (hooks.every(({ program }) => program.exact)) return { hooks, exact: true };
    // The exact check looks at whole packets: they are cut after it.
    return { hooks: compile(MAX_SNAP_LENGTH), exact: false };
  }

  /** What records of one hook say. */
  #recordOptions(
    options: BpfOptions,
    output: InterfaceRange | undefined,
  ): Omit<RecordOptions, 'snapLength' | 'generation' | 'speculation'> {
    const { SNIFFED, IP_CHECKSUM, OUTBOUND, LOOPBACK } = ADDRESS_FLAGS;
    const always = SNIFFED | IP_CHECKSUM;
    const maps = {
      ringFd: this.#reader.ring.fd,
      countersFd: this.#reader.countersFd,
      owner: this.#attribution?.lookup(options),
    };
    if (!output) return { ...maps, interfaceIndex: 'context', flags: always };
    return {
      ...maps,
      // At LOCAL_OUT a packet does not know its device: only a rule for a single one does.
      interfaceIndex: output.first === output.last ? output.first : 0,
      flags: always | OUTBOUND | (options.loopback === true ? LOOPBACK : 0),
    };
  }

  readonly #onPacket = (slot: Slot): void => {
    const residual = this.#residuals[slot.id];
    if (residual && !this.#matches(residual, slot)) {
      this.#passed++;
      slot.undecided = false;
      slot.release();
      return;
    }
    slot.length = Math.min(slot.length, this.#options.snapLength);
    this.#sink(slot);
  };

  #matches(residual: Matcher, slot: Slot): boolean {
    const input = this.#input;
    input.memory = slot.memory;
    input.offset = slot.offset;
    input.length = slot.length;
    input.flags = slot.flags;
    input.interfaceIndex = slot.interfaceIndex;
    input.timestampLow = Number(slot.timestampNs & 0xffff_ffffn);
    input.timestampHigh = Number(slot.timestampNs >> 32n);
    this.#attribution?.fill(input, slot);
    return residual(input) === MATCH.YES;
  }
}
