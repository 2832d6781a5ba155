import { EXIT, UsageError } from '../exit-code.ts';
import { endOf, listenForInterrupt } from '../interrupt.ts';
import { printJson } from '../json.ts';
import { plural, tell } from '../output.ts';
import { StreamRelay } from '../stream/relay.ts';
import { namespacePath, type TrafficOptions } from '../traffic.ts';
import type { Endpoint } from '../values.ts';

export interface StreamOptions extends TrafficOptions {
  readonly to?: Endpoint;
  /** Folder for what the connections carry. */
  readonly save?: string;
  readonly exclude?: string;
}

/**
 * `netdivert stream`: leads TCP connections to a proxy on this host and its answers back, or through this
 * process, which writes down what they carry.
 *
 * @throws UsageError when it is not said where to
 */
export async function stream(text: string, options: StreamOptions): Promise<number> {
  const { exclude, json, layer, namespace, priority, save, to } = options;
  if ((to === undefined) === (save === undefined)) {
    throw new UsageError('stream needs a proxy (--to host:port), or a folder (--save)');
  }
  if (save !== undefined && namespace !== undefined) {
    throw new UsageError('--save works in the own network namespace; use --to with a proxy inside');
  }
  const { redirect } = await import('../../recipes/index.ts');
  const interrupt = listenForInterrupt();
  const relay = save === undefined ? null : await StreamRelay.open(save, json ?? false);
  const redirection = await redirect({
    filter: text,
    to: to ?? { port: relay?.port ?? 0 },
    ...(exclude !== undefined && { exclude }),
    ...(layer === 'forward' && { layer }),
    ...(namespace !== undefined && { namespace: namespacePath(namespace) }),
    ...(priority !== undefined && { priority }),
  }).catch(async (error: unknown) => {
    await relay?.close();
    throw error;
  });
  relay?.start(redirection);
  const target = to === undefined ? `files in ${save}` : `${to.host}:${to.port}`;
  tell(`leading new connections to ${target} (Ctrl-C ends)`);
  try {
    await Promise.race([redirection.ended, ended(endOf(interrupt, options.duration))]);
  } finally {
    await relay?.close();
    await redirection.close();
    const { handles: _handles, ...stats } = redirection.stats();
    if (json) printJson({ type: 'summary', command: 'stream', ...stats });
    tell(
      `${plural(stats.opened, 'connection')} led there, ${plural(stats.packetsToProxy, 'packet')} to it, ` +
        `${stats.packetsToClients} back, ${stats.refused} refused`,
    );
  }
  return interrupt.finish(EXIT.OK);
}

function ended(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
