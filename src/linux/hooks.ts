/**
 * Which netfilter hooks a layer means, and the rules a filter becomes there.
 *
 * @module
 */
import type { Assembler } from '../bpf/assembler.ts';
import { type BpfOptions, type BpfProgram, compileBpf } from '../filter/emit-bpf.ts';
import type { Filter } from '../filter/index.ts';
import { CAPABILITY, hasCapability } from './bpf/capability.ts';
import { emitMarkTest } from './inject/mark.ts';
import { NF_INET } from './nftables/constants.ts';
import {
  type Expression,
  matchLocalDestination,
  matchOutputInterface,
  matchOutputRange,
} from './nftables/expression.ts';
import { type InterfaceRange, interfaceRanges, isLoopback } from './output-interfaces.ts';
import { LOOPBACK_IFINDEX } from './sys/constants.ts';

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

type Adapt = (options: BpfOptions, output?: InterfaceRange) => BpfOptions;

const unchanged: Adapt = (options) => options;

/** What a channel wants otherwise at every hook. */
export interface HookOptions {
  /** Changes the options a hook's program is compiled with, for packets to some devices or to all. */
  readonly adapt?: Adapt;
  /** At LOCAL_OUT a program for each range of devices that the filter treats alike. */
  readonly splitOutput?: boolean;
  /** Inbound packets are taken as they come, before the kernel puts fragments together. */
  readonly fragments?: boolean;
}

/**
 * Compiles a filter for each hook of its layer. Programs that match nothing are left out.
 *
 * Outbound is LOCAL_OUT: a changed destination is routed again from there, and conntrack and NAT
 * see what leaves the handle. Inbound is LOCAL_IN: packets for this host only; with `fragments` it is
 * PRE_ROUTING, where a rule's condition leaves out what is only passing through. Loopback is seen
 * once, outbound. What a handle of the same or a higher priority injected matches nowhere.
 *
 * @param priority of the handle
 */
export function compileForHooks(
  filter: Filter,
  priority: number,
  hookOptions: HookOptions = {},
): HookProgram[] {
  const { adapt = unchanged, fragments = false } = hookOptions;
  const speculation = !hasCapability(CAPABILITY.CAP_PERFMON);
  const compile: CompileFor = (hook, options, conditions = [], output = undefined) =>
    compileByImpostor((impostor) => {
      const emitPrologue = (assembler: Assembler): void =>
        emitMarkTest(assembler, priority, impostor);
      const adapted = adapt({ ...options, impostor, speculation, emitPrologue }, output);
      return { hook, conditions, program: compileBpf(filter.tests, adapted) };
    });
  const programs =
    filter.layer === 'forward'
      ? compile(NF_INET.FORWARD, { layer: 'forward' })
      : [
          ...(hookOptions.splitOutput
            ? interfaceRanges(filter.tests).flatMap((range) => compileOutput(compile, range))
            : compileOutbound(compile)),
          ...(fragments
            ? compile(NF_INET.PRE_ROUTING, INBOUND, matchLocalDestination())
            : compile(NF_INET.LOCAL_IN, INBOUND)),
        ];
  return programs.filter(({ program }) => program.constant !== false);
}

/** Whether a filter can match what came in over IPv6. */
export function takesInboundIPv6(filter: Filter): boolean {
  if (filter.layer === 'forward') return false;
  return compileBpf(filter.tests, { ...INBOUND, family: 6 }).constant !== false;
}

/** Compiles the filter for a hook: one program, or several of which one at most matches. */
type CompileFor = (
  hook: number,
  options: BpfOptions,
  conditions?: readonly Expression[],
  output?: InterfaceRange,
) => HookProgram[];

const OUTBOUND: BpfOptions = { layer: 'network', direction: 'outbound' };
const INBOUND: BpfOptions = { layer: 'network', direction: 'inbound', loopback: false };

/** LOCAL_OUT knows the device only by the route: a rule's condition, not the program, tells lo apart. */
function compileOutbound(compile: CompileFor): HookProgram[] {
  const either = compile(NF_INET.LOCAL_OUT, OUTBOUND);
  if (either.every(({ program }) => !program.needsLoopbackVariants)) return either;
  return [true, false].flatMap((loopback) =>
    compile(
      NF_INET.LOCAL_OUT,
      { ...OUTBOUND, loopback },
      matchOutputInterface(LOOPBACK_IFINDEX, loopback),
    ),
  );
}

/** The program for packets to some devices: the filter treats them all as it does the first. */
function compileOutput(compile: CompileFor, range: InterfaceRange): HookProgram[] {
  const options = { ...OUTBOUND, loopback: isLoopback(range), interfaceIndex: range.first };
  return compile(NF_INET.LOCAL_OUT, options, matchOutputRange(range.first, range.last), range);
}

/** Two programs where the filter asks whether a packet was injected: the mark tells them apart. */
function compileByImpostor(compile: (impostor: boolean | 'unknown') => HookProgram): HookProgram[] {
  const either = compile('unknown');
  if (!either.program.needsImpostorVariants) return [either];
  return [compile(false), compile(true)];
}
