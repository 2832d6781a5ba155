import { readFileSync } from 'node:fs';
import { UnsupportedError } from '../../errors.ts';
import { EXIT } from '../exit-code.ts';
import { type Interrupt, listenForInterrupt } from '../interrupt.ts';

export interface DemoOptions {
  readonly offline?: boolean;
}

/** Capability numbers (include/uapi/linux/capability.h) of what the live demo does. */
const CAPABILITIES = { CAP_NET_ADMIN: 12n, CAP_SYS_ADMIN: 21n } as const;

/**
 * `netdivert demo`: shows what interception is, on real traffic where that is possible, else over a
 * capture file.
 */
export async function demo(options: DemoOptions): Promise<number> {
  const interrupt = listenForInterrupt();
  try {
    const reason = options.offline ? 'asked for with --offline' : reasonAgainstLive();
    if (reason !== null) await playOffline(reason, interrupt);
    else await playLiveOrOffline(interrupt);
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
  }
  return interrupt.finish(EXIT.OK);
}

async function playLiveOrOffline(interrupt: Interrupt): Promise<void> {
  try {
    const { playLive } = await import('../demo/live.ts');
    await playLive(interrupt.signal);
  } catch (error) {
    const reason = explainUnsupported(error);
    if (interrupt.signal.aborted || reason === null) throw error;
    await playOffline(reason, interrupt);
  }
}

async function playOffline(reason: string, { signal }: Interrupt): Promise<void> {
  const offline = await import('../demo/offline.ts');
  await offline.playOffline(reason, signal);
}

function reasonAgainstLive(): string | null {
  if (process.platform !== 'linux') return 'it needs Linux';
  const status = readFileSync('/proc/self/status', 'utf8');
  const effective = BigInt(`0x${/^CapEff:\s*(\w+)/m.exec(status)?.[1] ?? '0'}`);
  const missing = Object.entries(CAPABILITIES)
    .filter(([, bit]) => ((effective >> bit) & 1n) === 0n)
    .map(([name]) => name);
  return missing.length === 0 ? null : `it needs root (${missing.join(' and ')}); try sudo`;
}

/** What this machine lacks, or null when the error is another one. */
function explainUnsupported(error: unknown): string | null {
  if (error instanceof UnsupportedError) return error.message.split('\n')[0] ?? error.feature;
  const { code, path } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' && path !== undefined ? `the program ${path} is missing` : null;
}
