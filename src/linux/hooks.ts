/**
 * Which netfilter hooks a layer means, and the rules a filter becomes there.
 *
 * @module
 */
import { type BpfOptions, type BpfProgram, compileBpf } from '../filter/emit-bpf.ts';
import type { Filter } from '../filter/index.ts';
import { NF_INET } from './nftables/constants.ts';
import { type Expression, matchOutputInterface } from './nftables/expression.ts';

/** lo is interface 1 in every network namespace (LOOPBACK_IFINDEX). */
const LOOPBACK_IFINDEX = 1;
/** Before every other hook, conntrack's defragmentation at -400 included; room for 60,001 priorities. */
const HOOK_PRIORITY_ZERO = -40000;

/** A program and the hook it belongs to. */
export interface HookProgram {
  readonly hook: number;
  readonly conditions: readonly Expression[];
  readonly program: BpfProgram;
}

/** Priority p of a handle as a netfilter priority: lower runs first there, higher here. */
export function hookPriority(priority: number): number {
  return HOOK_PRIORITY_ZERO - priority;
}

/**
 * Compiles a filter for each hook of its layer. Programs that match nothing are left out.
 *
 * Outbound is LOCAL_OUT: a changed destination is routed again from there, and conntrack and NAT
 * see what leaves the handle. Inbound is LOCAL_IN: packets for this host only. Loopback is seen
 * once, outbound.
 */
export function compileForHooks(filter: Filter): HookProgram[] {
  const programs =
    filter.layer === 'forward'
      ? [compileFor(filter, NF_INET.FORWARD, { layer: 'forward' })]
      : [
          ...compileOutbound(filter),
          compileFor(filter, NF_INET.LOCAL_IN, {
            layer: 'network',
            direction: 'inbound',
            loopback: false,
          }),
        ];
  return programs.filter(({ program }) => program.constant !== false);
}

/** LOCAL_OUT knows the device only by the route: a rule's condition, not the program, tells lo apart. */
function compileOutbound(filter: Filter): HookProgram[] {
  const options: BpfOptions = { layer: 'network', direction: 'outbound' };
  const either = compileFor(filter, NF_INET.LOCAL_OUT, options);
  if (!either.program.needsLoopbackVariants) return [either];
  return [true, false].map((loopback) =>
    compileFor(
      filter,
      NF_INET.LOCAL_OUT,
      { ...options, loopback },
      matchOutputInterface(LOOPBACK_IFINDEX, loopback),
    ),
  );
}

function compileFor(
  filter: Filter,
  hook: number,
  options: BpfOptions,
  conditions: readonly Expression[] = [],
): HookProgram {
  // Marks of injected packets are ours to give; none are given yet.
  const program = compileBpf(filter.tests, { ...options, impostor: false });
  return { hook, conditions, program };
}
