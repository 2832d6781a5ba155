/**
 * Handles are opened and closed: what that says is the truth.
 *
 * @module
 */

import type { OpenOptions } from '../../divert/options.ts';
import { DivertError } from '../../errors.ts';
import { type Check, fail, ok, warn } from './check.ts';
import { errorText } from './error-text.ts';

const TRIALS: readonly {
  readonly name: string;
  readonly filter: string;
  readonly options: OpenOptions;
  readonly isNeeded: boolean;
}[] = [
  // No packet has port 0: nothing is taken while the handle is open.
  { name: 'divert', filter: 'tcp.DstPort == 0', options: {}, isNeeded: true },
  { name: 'sniff', filter: 'tcp.DstPort == 0', options: { mode: 'sniff' }, isNeeded: true },
  { name: 'flow-layer', filter: 'localPort == 0', options: { layer: 'flow' }, isNeeded: false },
  {
    name: 'socket-layer',
    filter: 'localPort == 0',
    options: { layer: 'socket', mode: 'sniff' },
    isNeeded: false,
  },
  { name: 'reflect-layer', filter: 'false', options: { layer: 'reflect' }, isNeeded: false },
];

/** Opens a handle of each kind. */
export async function checkTrials(namespace: string | undefined): Promise<Check[]> {
  const { open } = await import('../../open.ts');
  const checks: Check[] = [];
  for (const { name, filter, options, isNeeded } of TRIALS) {
    try {
      const handle = await open(filter, {
        ...options,
        ...(namespace !== undefined && { namespace }),
      });
      await handle.close();
      checks.push(ok(name, 'a handle was opened and closed'));
    } catch (error) {
      const hint = error instanceof DivertError ? error.hint : undefined;
      const advice = hint ?? 'The lines above may say why.';
      checks.push((isNeeded ? fail : warn)(name, errorText(error), advice));
    }
  }
  return checks;
}
