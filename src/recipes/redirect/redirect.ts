/**
 * Transparent redirection of TCP connections to a proxy.
 *
 * @module
 */
import type { NetworkHandle } from '../../divert/network-handle.ts';
import type { NetworkOpenOptions } from '../../divert/options.ts';
import type { Stats } from '../../divert/stats.ts';
import { DivertError, SystemError } from '../../errors.ts';
import { compileFilter } from '../../filter/index.ts';
import { open } from '../../open.ts';
import { Packet } from '../../packet/packet.ts';
import type { Endpoint } from './endpoint-key.ts';
import { ProxyProcess } from './proxy-process.ts';
import { type ProxyAddress, Target } from './target.ts';
import { Translation, type TranslationStats } from './translation.ts';

/** How often connections that are over are forgotten. */
const EXPIRY_INTERVAL_MS = 10_000;

/** What is redirected, and where to. */
export interface RedirectOptions
  extends Pick<
    NetworkOpenOptions,
    'layer' | 'namespace' | 'priority' | 'largePackets' | 'backend' | 'signal'
  > {
  /**
   * Packets of clients, WinDivert filter text: `tcp.DstPort == 443`. Connections whose SYN matches are
   * redirected. On the network layer `outbound` is understood.
   */
  readonly filter: string;
  /** Packets that stay out of it, filter text. */
  readonly exclude?: string;
  /**
   * Where the proxy listens. With layer 'network' on this host, usually; with layer 'forward' on an
   * address of this host that is not on lo.
   */
  readonly to: ProxyAddress;
  /**
   * Let connections go that the proxy itself makes: those of the processes that hold the socket that
   * listens on the port. Default true.
   */
  readonly excludeProxy?: boolean;
}

/** Counters of a redirection. */
export interface RedirectStats extends TranslationStats {
  /** Packets that could not be sent on: the kernel did not take them. */
  readonly failed: number;
  /** Of its handles: one, or two with layer 'forward'. */
  readonly handles: readonly Stats[];
}

/** A running redirection. */
export interface Redirection extends AsyncDisposable {
  /**
   * Where a client of the proxy wanted to go.
   *
   * @param remoteAddress of the proxy's socket
   * @param remotePort of the proxy's socket
   * @returns null for a client that connected to the proxy itself
   */
  originalDestination(remoteAddress: string, remotePort: number): Endpoint | null;
  stats(): RedirectStats;
  /** Resolves when it is closed; rejects when a handle failed. */
  readonly ended: Promise<void>;
  /** Ends it. Connections that are redirected then break. Idempotent. */
  close(): Promise<void>;
}

/**
 * Redirects TCP connections to a proxy, without their programs knowing: these see the address that
 * they connected to.
 *
 * Connections that were there before are left alone.
 *
 * @throws {@link FilterError} when `filter` or `exclude` does not compile
 * @throws {@link DivertError} `invalid-parameter` for an address or options that cannot work
 * @throws {@link UnsupportedError} as `open`
 * @example
 * ```ts
 * const redirection = await redirect({ filter: 'tcp.DstPort == 80', to: { port: 8080 } });
 * net.createServer((socket) => {
 *   const to = redirection.originalDestination(socket.remoteAddress, socket.remotePort);
 * }).listen(8080);
 * ```
 */
export async function redirect(options: RedirectOptions): Promise<Redirection> {
  const { layer = 'network', signal } = options;
  const target = new Target(options.to);
  if (layer === 'forward' && target.isLoopback) {
    throw new DivertError(
      'invalid-parameter',
      'Forwarded connections cannot be redirected to an address of lo.',
      { hint: 'Let the proxy listen on an address of this host, and give it as `to.host`.' },
    );
  }
  const proxy = new ProxyProcess(target.port);
  const isExcluded = (packet: Packet, nowMs: number): boolean => {
    const pid = packet.process?.pid;
    return pid !== undefined && proxy.isProxy(pid, nowMs);
  };
  const translation = new Translation(target, isExcluded);
  const handles = await openHandles(options, target);
  const redirection = new Running(handles, translation);
  signal?.addEventListener('abort', () => void redirection.close(), { once: true });
  if (signal?.aborted) await redirection.close();
  return redirection;
}

/** The handle for clients and, where it is another one, that for the proxy. */
interface Handles {
  readonly clients: NetworkHandle;
  readonly proxy: NetworkHandle | null;
}

async function openHandles(options: RedirectOptions, target: Target): Promise<Handles> {
  const { layer = 'network', filter, exclude, namespace, priority, backend } = options;
  // Complaints are about the text that was given.
  for (const text of [filter, exclude]) if (text !== undefined) compileFilter(text, layer);
  const shared: NetworkOpenOptions = {
    largePackets: options.largePackets ?? true,
    ...(namespace === undefined ? {} : { namespace }),
    ...(priority === undefined ? {} : { priority }),
    ...(backend === undefined ? {} : { backend }),
  };
  const wanted = exclude === undefined ? `(${filter})` : `((${exclude})? false: (${filter}))`;
  if (layer === 'network') {
    const text = `(outbound and tcp and ${wanted}) or (${target.sourceFilter})`;
    // Who connects is asked for nothing else.
    const attribution = options.excludeProxy !== false;
    return { clients: await open(text, { ...shared, attribution }), proxy: null };
  }
  const proxy = await open(`outbound and ${target.sourceFilter}`, shared);
  try {
    const clients = await open(`tcp and ${wanted}`, { ...shared, layer });
    return { clients, proxy };
  } catch (error) {
    await proxy.close();
    throw error;
  }
}

class Running implements Redirection {
  readonly #handles: Handles;
  readonly #translation: Translation;
  readonly #timer: NodeJS.Timeout;
  readonly ended: Promise<void>;
  #failed = 0;
  #closing: Promise<void> | undefined;

  constructor(handles: Handles, translation: Translation) {
    this.#handles = handles;
    this.#translation = translation;
    const expire = (): void => translation.expire(performance.now());
    this.#timer = setInterval(expire, EXPIRY_INTERVAL_MS).unref();
    this.ended = this.#run();
    // Whoever does not wait for the end does not care for its reason.
    this.ended.catch(() => {});
  }

  originalDestination(remoteAddress: string, remotePort: number): Endpoint | null {
    return this.#translation.originalDestination({ address: remoteAddress, port: remotePort });
  }

  stats(): RedirectStats {
    const { clients, proxy } = this.#handles;
    const handles = proxy ? [clients.stats(), proxy.stats()] : [clients.stats()];
    return { ...this.#translation.stats(), failed: this.#failed, handles };
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    clearInterval(this.#timer);
    const { clients, proxy } = this.#handles;
    await Promise.all([clients.close(), proxy?.close()]);
    await this.ended.catch(() => {});
  }

  async #run(): Promise<void> {
    const { clients, proxy } = this.#handles;
    try {
      if (proxy) await Promise.all([this.#bringIn(clients), this.#translateAll(proxy)]);
      else await this.#translateAll(clients);
    } finally {
      void this.close();
    }
  }

  /** Rewrites packets that go on by themselves: the kernel looks for their route again. */
  async #translateAll(handle: NetworkHandle): Promise<void> {
    for await (const batch of handle.batches()) {
      const nowMs = performance.now();
      for (const packet of batch) this.#translation.translate(packet, nowMs);
      this.#attempt(() => batch.send());
    }
  }

  /** Forwarded packets have their route: those for the proxy come in anew. */
  async #bringIn(handle: NetworkHandle): Promise<void> {
    for await (const batch of handle.batches()) {
      const nowMs = performance.now();
      for (const packet of batch) {
        const connection = this.#translation.find(packet, nowMs);
        if (!connection) continue;
        const copy = new Packet(packet.bytes, packet.address);
        this.#translation.apply(copy, connection);
        this.#attempt(() => handle.send(copy));
        handle.drop(packet);
      }
      this.#attempt(() => batch.send());
    }
  }

  /** A packet that the kernel does not take is lost, as packets are; the others go on. */
  #attempt(send: () => void): void {
    try {
      send();
    } catch (error) {
      const code = error instanceof DivertError ? error.code : '';
      if (code === 'closed') return;
      const isPacket =
        error instanceof SystemError ||
        code === 'insufficient-buffer' ||
        code === 'host-unreachable';
      if (!isPacket) throw error;
      this.#failed++;
    }
  }
}
