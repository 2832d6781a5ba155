/**
 * Takes the mark off injected packets when all handles have had them: nothing behind our chains
 * sees it, and it does not steer the route.
 *
 * @module
 */
import { NF_INET } from '../nftables/constants.ts';
import { clearMark } from '../nftables/expression.ts';
import type { LastChain } from '../nftables/ruleset.ts';
import { INJECTED_MARK } from './mark.ts';

/** Behind the chain of a handle with priority -30000. */
const PRIORITY = -9999;

/** The chains that an injector needs. */
export function lastChains(): LastChain[] {
  const expressions = clearMark(INJECTED_MARK.MASK, INJECTED_MARK.VALUE);
  // First the one whose type a kernel might not know: a change that fails with a hook in it costs
  // every queue of the namespace its packets.
  return [
    chain('unmark-out', NF_INET.LOCAL_OUT, 'route'),
    chain('unmark-in', NF_INET.LOCAL_IN, 'filter'),
    chain('unmark-forward', NF_INET.FORWARD, 'filter'),
  ];

  function chain(name: string, number: number, type: 'filter' | 'route'): LastChain {
    return { name, hook: { number, priority: PRIORITY, type }, expressions };
  }
}
