/**
 * Work that a signal must not interrupt.
 *
 * @module
 */
import { SIGNAL_MASK } from './constants.ts';
import { libc } from './libc.ts';
import { allocate } from './memory.ts';

/** Runs `action` with all signals held back; they come in afterwards. It must be synchronous and short. */
export function withoutSignals<T>(action: () => T): T {
  const { SIG_BLOCK, SIG_SETMASK, BYTES } = SIGNAL_MASK;
  const all = allocate(BYTES);
  all.bytes.fill(0xff);
  const before = allocate(BYTES);
  libc.pthread_sigmask(SIG_BLOCK, all.bytes, before.bytes);
  try {
    return action();
  } finally {
    libc.pthread_sigmask(SIG_SETMASK, before.bytes, null);
  }
}
