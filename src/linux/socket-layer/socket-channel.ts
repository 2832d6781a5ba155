/**
 * A handle's events on the socket layer.
 *
 * @module
 */
import { closeSync } from 'node:fs';
import type { ChannelListener, EventChannel, EventCounters } from '../../divert/backend.ts';
import type { DivertEvent } from '../../divert/event.ts';
import type { ResolvedEventOptions } from '../../divert/event-options.ts';
import { decodeSocketEvent, isLocalUnknown } from '../../divert/event-record.ts';
import type { Filter } from '../../filter/index.ts';
import { EVENT_NOTES, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { createLink, type Link } from '../bpf/link.ts';
import { loadProgram, type Program } from '../bpf/program.ts';
import { openRootCgroup } from '../cgroup.ts';
import { closeAll } from '../close-all.ts';
import { EventRing, type Residual } from '../events/event-ring.ts';
import { createResidual } from '../events/residual.ts';
import { ChannelSets, type FilterSetMaps } from '../filter-sets.ts';
import { namespaceCookie } from '../namespace-cookie.ts';
import { SocketTracker } from '../sockets/tracker.ts';
import { openNamespace } from '../sys/namespace.ts';
import { SOCKET_EVENT_NUMBER } from './event-number.ts';
import { type Features, probeFeatures } from './features.ts';
import { HandleOrder } from './handle-order.ts';
import { buildProgram, type Hook, type HookPlan, type HookProgram, planHooks } from './hooks.ts';
import { ListenerRefusal } from './listener-refusal.ts';
import { LocalEnds } from './local-ends.ts';
import { addOpenPorts } from './open-ports.ts';
import type { ProgramOptions } from './report.ts';
import { checkRequirements } from './requirements.ts';
import { createMaps, type SocketMaps } from './state.ts';

/** As `bpftool prog` and `bpftool map` show it, 15 letters at most: whose it is. */
const KERNEL_NAME = `ndivert_${process.pid}`;

export class SocketChannel implements EventChannel {
  readonly #options: ResolvedEventOptions;
  readonly #features: Features;
  readonly #namespaceCookie: bigint;
  readonly #tracker: SocketTracker;
  readonly #maps: SocketMaps;
  readonly #order: HandleOrder;
  readonly #ring: EventRing;
  readonly #localEnds: LocalEnds;
  readonly #refusal: ListenerRefusal;
  /** By attach type. */
  readonly #links = new Map<number, Link>();
  readonly #sets = new ChannelSets(KERNEL_NAME);
  readonly #closers: (() => void)[] = [];
  #hasOpenPorts = false;
  #isOpen = true;

  /** @throws {@link UnsupportedError} naming the missing capability or kernel feature */
  constructor(filter: Filter, options: ResolvedEventOptions) {
    this.#options = options;
    this.#namespaceCookie = namespaceCookie(options.namespace);
    this.#features = probeFeatures(KERNEL_NAME);
    this.#localEnds = new LocalEnds(options.namespace);
    try {
      this.#tracker = SocketTracker.acquire();
      this.#closers.push(() => this.#tracker.release());
      this.#maps = createMaps(KERNEL_NAME);
      this.#closers.push(() => this.#maps.close());
      this.#refusal = new ListenerRefusal(options.namespace, this.#maps.bound);
      this.#closers.push(() => this.#refusal.close());
      this.#closers.push(() => this.#sets.close());
      this.#order = new HandleOrder(options.priority);
      this.#closers.push(() => this.#order.close());
      this.#ring = new EventRing(KERNEL_NAME, options.queueSizeBytes, this.#read);
      this.#closers.push(() => this.#ring.close());
      this.setFilter(filter);
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  start(listener: ChannelListener): void {
    this.#ring.start(listener);
  }

  read(budget: number, sink: (event: DivertEvent) => void): boolean {
    return this.#ring.read(budget, sink);
  }

  setFilter(filter: Filter): void {
    const plan = planHooks(filter.tests, this.#options.mode);
    checkRequirements(this.#options, this.#features, plan, this.#refusal);
    this.#sets.swap(filter, (sets) => {
      const options = this.#programOptions(filter, plan, sets);
      this.#attach(plan.hooks.map((hook) => ({ hook, instructions: buildProgram(hook, options) })));
    });
    this.#ring.useFilter(this.#residual(filter));
    if (plan.tracksPorts && !this.#hasOpenPorts) {
      this.#hasOpenPorts = true;
      const { ownersFd } = this.#tracker.maps;
      addOpenPorts(this.#options.namespace, this.#maps.bound, ownersFd);
    }
  }

  detach(): void {
    closeAll([...this.#links.keys()].map((attachType) => () => this.#unhook(attachType)));
  }

  counters(): EventCounters {
    return this.#ring.counters();
  }

  async close(): Promise<void> {
    this.#release();
  }

  #release(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    closeAll([() => this.detach(), ...this.#closers.reverse(), () => this.#localEnds.close()]);
  }

  #programOptions(filter: Filter, plan: HookPlan, sets: FilterSetMaps['maps']): ProgramOptions {
    const { storageFd, namesFd } = this.#tracker.maps;
    return {
      ...this.#features,
      tests: filter.tests,
      sets,
      mode: this.#options.mode,
      errno: this.#options.blockErrno,
      namespaceCookie: this.#namespaceCookie,
      generation: this.#ring.nextGeneration(),
      ringFd: this.#ring.fd,
      countersFd: this.#ring.countersFd,
      stateFd: this.#maps.state.fd,
      boundFd: this.#maps.bound.fd,
      flowsFd: this.#maps.flows.fd,
      trackerFd: storageFd,
      namesFd,
      tracksPorts: plan.tracksPorts,
      tracksFlows: plan.tracksFlows,
      reportsClose: plan.reportsClose,
    };
  }

  /** Loads all programs before the first one is hooked in: when one is refused, nothing has changed. */
  #attach(programs: readonly HookProgram[]): void {
    const loaded: Program[] = [];
    const cgroup = openRootCgroup();
    const namespace = openBeside(cgroup, this.#options.namespace);
    const isFirst = this.#links.size === 0;
    try {
      for (const { hook, instructions } of programs) {
        const { type, attachType } = hook;
        loaded.push(loadProgram(instructions, { name: KERNEL_NAME, type, attachType }));
      }
      loaded.forEach((program, index) => {
        const hook = programs[index]?.hook;
        if (hook) this.#hookIn(hook, program, hook.isInNamespace ? namespace : cgroup);
      });
      this.#drop(programs);
    } catch (error) {
      if (isFirst) this.detach();
      throw error;
    } finally {
      for (const program of loaded) program.close();
      closeSync(cgroup);
      closeSync(namespace);
    }
  }

  #hookIn(hook: Hook, program: Program, target: number): void {
    const link = this.#links.get(hook.attachType);
    if (link) link.update(program);
    else this.#links.set(hook.attachType, this.#link(hook, program, target));
  }

  #link({ attachType, canBlock }: Hook, program: Program, target: number): Link {
    return canBlock
      ? this.#order.link(program, target, attachType)
      : createLink(program, target, attachType);
  }

  /** Takes out what the new filter does not need. */
  #drop(programs: readonly HookProgram[]): void {
    for (const attachType of [...this.#links.keys()]) {
      if (!programs.some(({ hook }) => hook.attachType === attachType)) this.#unhook(attachType);
    }
  }

  #unhook(attachType: number): void {
    this.#links.get(attachType)?.close();
    this.#links.delete(attachType);
    this.#order.forget(attachType);
  }

  /** Records without a local end get it, and meet the filter again. */
  #residual(filter: Filter): Residual {
    const matches = createResidual(filter);
    return (record) => {
      if (!isLocalUnknown(record)) return true;
      this.#localEnds.complete(record);
      return matches(record);
    };
  }

  readonly #read = (record: DataView, sink: (event: DivertEvent) => void): void => {
    const event = record.getUint8(SOCKET_EVENT.EVENT);
    const isBlocked = (record.getUint8(SOCKET_EVENT.NOTES) & EVENT_NOTES.BLOCKED) !== 0;
    if (isBlocked && event === SOCKET_EVENT_NUMBER.listen) this.#refusal.refuse(record);
    if (this.#options.mode !== 'drop') sink(decodeSocketEvent(record));
  };
}

/** Opens the namespace; when that fails, lets the control group go. */
function openBeside(cgroup: number, path: string | undefined): number {
  try {
    return openNamespace(path);
  } catch (error) {
    closeSync(cgroup);
    throw error;
  }
}
