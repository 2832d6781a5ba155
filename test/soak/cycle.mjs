/** One cycle: handles of every kind open, work and close under load. */

import { setTimeout as sleep } from 'node:timers/promises';
import { FilterSet, open } from '../../dist/index.js';
import { INJECTED, PORT } from './load.mjs';
import { changeSome, keepSome, readAll, readEvents, sendAll, swapFilters } from './programs.mjs';
import { callSockets } from './sockets.mjs';

/** Event handles: name, filter, layer, mode. */
const EVENTS = [
  ['flow', 'true', 'flow', 'sniff'],
  ['socket', 'localPort != 1', 'socket', 'sniff'],
  ['socket, blocking', 'event == BIND and localPort == 1', 'socket', 'divert'],
  ['reflect', 'true', 'reflect', 'sniff'],
];
const PRIORITIES = [-300, -7, 0, 3, 250];

export class Cycle {
  #network;
  #load;
  /** Handles that are open: `{ name, handle, end, work }`. */
  #open = new Set();
  /** Number of all that were. */
  #count = 0;
  #packets = 0;
  #events = 0;
  /** Of the handle with the most packets. */
  #waitMs;
  /** Namespace -> packets that handles dropped or lost there. */
  #missing = new Map();
  #problems = [];
  #stop = new AbortController();
  #swapping;
  /** Changes under the filter that looks into it. */
  #set = new FilterSet();

  constructor(network, load) {
    this.#network = network;
    this.#load = load;
  }

  /** @returns packets and events handled, how long they waited, packets missing by namespace, and imbalances in words */
  async run(durationMs, transferBytes) {
    await this.#openAll();
    const background = [
      this.#openAndCloseOften(),
      this.#inject(),
      this.#abortSome(),
      this.#changeSet(),
      this.#openEventHandles(),
      callSockets(this.#network.server, this.#stop.signal),
    ];
    const watched = background.map((work) => work.catch(this.#note));
    const until = Date.now() + durationMs;
    await this.#load.transfer(transferBytes).catch(this.#note);
    await sleep(Math.max(0, until - Date.now()));
    this.#stop.abort();
    await Promise.all(watched);
    this.#load.pause();
    await sleep(100);
    for (const opened of this.#open) await this.#close(opened);
    return {
      packets: this.#packets,
      events: this.#events,
      waitMs: this.#waitMs,
      missing: this.#missing,
      problems: this.#problems,
      handles: this.#count,
    };
  }

  #note = (error) => {
    this.#problems.push(error.stack);
  };

  async #add(name, filter, options, program) {
    const { end = this.#network.server, isEvents = false, ...rest } = options;
    // Reflect handles are of the whole machine.
    const namespace = rest.layer === 'reflect' ? {} : { namespace: end.path };
    const handle = await open(filter, { ...namespace, ...rest });
    const isCopy = rest.mode === 'sniff' || isEvents;
    const opened = { name, handle, end, work: program?.(handle), isCopy, isEvents };
    this.#open.add(opened);
    this.#count++;
    return opened;
  }

  async #close(opened) {
    await opened.handle.close();
    await opened.work;
    this.#open.delete(opened);
    this.#check(opened);
  }

  async #openAll() {
    const { router } = this.#network;
    const { main, ipv6, tcp, loopback, dropped } = PORT;
    const inbound = (port) => `inbound and udp.DstPort == ${port}`;
    await this.#add('batches', inbound(main), { priority: 100 }, changeSome);
    await this.#add(
      'sniff',
      inbound(main),
      { mode: 'sniff', snapLength: 96, priority: 50 },
      readAll,
    );
    const small = { priority: 20, queueLength: 64, onOverload: 'pass', unhandled: 'pass' };
    await this.#add('small queue', inbound(main), small, sendAll);
    await this.#add('one by one', inbound(ipv6), { queueTimeMs: 500 }, keepSome);
    const connection = `tcp.DstPort == ${tcp} or tcp.SrcPort == ${tcp}`;
    await this.#add('tcp', connection, { priority: -5 }, sendAll);
    await this.#add(
      'tcp changed',
      connection,
      { priority: 5, namespace: this.#network.client.path },
      sendAll,
    );
    await this.#add('tcp forward', connection, { end: router, layer: 'forward' }, sendAll);
    await this.#add(
      'forward',
      `udp.DstPort == ${main}`,
      { end: router, layer: 'forward' },
      sendAll,
    );
    await this.#add(
      'loopback',
      `loopback and udp.DstPort == ${loopback}`,
      { priority: 9 },
      changeSome,
    );
    await this.#add('loopback again', `udp.DstPort == ${loopback}`, { onExit: 'drop' }, keepSome);
    await this.#add('drop', inbound(dropped), { mode: 'drop' });
    const filters = [
      inbound(ipv6),
      `udp.DstPort == ${ipv6} and inbound and udp.PayloadLength < 9999`,
    ];
    await this.#add(
      'attribution',
      inbound(ipv6),
      { attribution: true, mode: 'sniff', snapLength: 96, priority: 60 },
      readAll,
    );
    await this.#add(
      'set',
      `inbound and udp.DstPort == ${ipv6} and not (udp.SrcPort in @some)`,
      { dialect: 'extended', sets: { some: this.#set }, priority: 40 },
      sendAll,
    );
    for (const [name, filter, layer, mode] of EVENTS) {
      await this.#add(name, filter, { layer, mode, isEvents: true }, readEvents);
    }
    const { handle: swapped } = await this.#add(
      'swapped',
      inbound(ipv6),
      { priority: 70 },
      sendAll,
    );
    this.#swapping = swapFilters(swapped, filters, this.#stop.signal);
  }

  async #openAndCloseOften() {
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const priority = PRIORITIES[turn % PRIORITIES.length];
      const opened = await this.#add(
        'short',
        `inbound and udp.DstPort == ${PORT.main}`,
        { priority },
        sendAll,
      );
      await sleep(30);
      await this.#close(opened);
    }
    await this.#swapping;
  }

  async #openEventHandles() {
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const [name, filter, layer, mode] = EVENTS[turn % EVENTS.length];
      const opened = await this.#add(name, filter, { layer, mode, isEvents: true }, readEvents);
      await sleep(1000);
      await this.#close(opened);
    }
  }

  /** Members come and go, single ones and prefixes. */
  async #changeSet() {
    for (let turn = 1; !this.#stop.signal.aborted; turn++) {
      for (let member = 1; member <= 20; member++) this.#set.add((turn * 20 + member) % 60_000);
      this.#set.add(`10.${turn % 250}.0.0/16`);
      await sleep(20);
      if (turn % 10 === 0) this.#set.clear();
    }
  }

  async #abortSome() {
    while (!this.#stop.signal.aborted) {
      const controller = new AbortController();
      const { signal } = controller;
      const opened = await this.#add(
        'aborted',
        `inbound and udp.DstPort == ${PORT.ipv6}`,
        { priority: -70, signal },
        changeSome,
      );
      await sleep(150);
      controller.abort();
      await this.#close(opened);
    }
  }

  /** New packets out and in, both families. */
  async #inject() {
    const { handle: injector } = await this.#add('injector', 'false', { priority: 1000 });
    const { handle: source } = await this.#add(
      'source',
      `inbound and udp.DstPort == ${PORT.main}`,
      { mode: 'sniff', priority: 2000 },
    );
    const { handle: six } = await this.#add('source 6', `inbound and udp.DstPort == ${PORT.ipv6}`, {
      mode: 'sniff',
      priority: 2000,
    });
    for (let turn = 0; !this.#stop.signal.aborted; turn++) {
      const packet = (
        await (turn % 2 ? source : six).receive({ signal: this.#stop.signal })
      )?.retain();
      if (!packet) continue;
      packet.udp.dstPort = turn % 4 < 2 ? INJECTED.inbound : INJECTED.outbound;
      packet.address.outbound = turn % 4 >= 2;
      if (packet.address.outbound && packet.ip) packet.ip.dstAddr = packet.ip.srcAddr;
      injector.send(packet);
      if (turn % 50 === 0) await sleep(5);
    }
  }

  /** The books of a closed handle. */
  #check({ name, handle, end, isCopy, isEvents }) {
    const stats = handle.stats();
    if (isEvents) return this.#checkEvents(name, stats);
    const { received, sent, dropped, lost, delivered, queued, held, matched, passed } = stats;
    const removed = dropped + lost.total;
    const isBalanced = received === removed + (isCopy ? delivered : sent);
    // Super-packets match once and come as several.
    const isWhole = !name.startsWith('tcp');
    const isComplete = !isWhole || matched === received + passed;
    if (!isBalanced || !isComplete || queued !== 0 || held !== 0) {
      const { waitMs, ...counts } = stats;
      this.#problems.push(`${name}: ${JSON.stringify(counts)}`);
    }
    this.#packets += received;
    if (name === 'batches') this.#waitMs = stats.waitMs;
    if (!isCopy && isWhole) this.#missing.set(end, (this.#missing.get(end) ?? 0) + removed);
  }

  #checkEvents(name, stats) {
    const { received, delivered, queued, lost } = stats;
    this.#events += received;
    if (received === delivered + lost.total && queued === 0) return;
    const { waitMs, ...counts } = stats;
    this.#problems.push(`${name}: ${JSON.stringify(counts)}`);
  }
}
