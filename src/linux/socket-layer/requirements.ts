/**
 * What a filter needs of the kernel beyond what every handle of the layer does.
 *
 * @module
 */
import type { ResolvedEventOptions } from '../../divert/event-options.ts';
import { UnsupportedError } from '../../errors.ts';
import { ERRNO } from '../sys/constants.ts';
import type { Features } from './features.ts';
import type { HookPlan } from './hooks.ts';
import type { ListenerRefusal } from './listener-refusal.ts';

/** @throws {@link UnsupportedError} naming what is missing and what to do */
export function checkRequirements(
  { blockErrno, mode }: ResolvedEventOptions,
  { hasReturnValue }: Features,
  { refusesListeners }: HookPlan,
  refusal: ListenerRefusal,
): void {
  if (mode !== 'sniff' && blockErrno !== ERRNO.EPERM && !hasReturnValue) {
    throw new UnsupportedError('bpf_set_retval', 'Blocked calls can only fail with EPERM here.', {
      hint: 'Leave blockError out, or use Linux 5.18 or newer.',
    });
  }
  if (refusesListeners && !refusal.isAvailable()) {
    throw new UnsupportedError(
      'CONFIG_INET_DIAG_DESTROY',
      'The filter can refuse listening sockets, and this kernel cannot end them.',
      {
        hint: "Load the module tcp_diag and use a kernel with CONFIG_INET_DIAG_DESTROY, or leave them out of the filter: 'event != LISTEN'.",
      },
    );
  }
}
