/**
 * Whole packets or their pieces: what the kernel has to be told so that a handle sees the ones it
 * asks for.
 *
 * @module
 */
import type { ResolvedOptions } from '../divert/options.ts';
import { UnsupportedError } from '../errors.ts';
import type { Filter } from '../filter/index.ts';
import { takesInboundIPv6 } from './hooks.ts';
import { matchLocalDestination } from './nftables/expression.ts';
import type { Ruleset } from './nftables/ruleset.ts';

/**
 * To be called before a filter's rules are installed. IPv4 fragments reach LOCAL_IN put together;
 * those of IPv6 do only when somebody asks for it.
 *
 * @throws {@link UnsupportedError} when the kernel cannot tell pieces for this host from others
 */
export function prepareFragments(ruleset: Ruleset, filter: Filter, options: ResolvedOptions): void {
  const { layer, access, fragments } = options;
  if (layer !== 'network' || access === 'send') return;
  if (!fragments) {
    if (takesInboundIPv6(filter)) ruleset.reassembleIPv6();
  } else if (!ruleset.accepts(matchLocalDestination())) {
    throw new UnsupportedError(
      'NFT_FIB_INET',
      'This kernel cannot tell the fragments that are for this host.',
      { hint: 'It needs the module nft_fib_inet: try `modprobe nft_fib_inet`.' },
    );
  }
}
