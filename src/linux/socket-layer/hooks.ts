/**
 * Which programs a filter needs: the hooks of the events it can match, and of what has to be known for
 * them.
 *
 * @module
 */
import { Assembler } from '../../bpf/assembler.ts';
import type { Instruction } from '../../bpf/instruction.ts';
import { canMatchEvent } from '../../filter/emit-event-bpf.ts';
import type { FilterTest } from '../../filter/graph.ts';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../bpf/constants.ts';
import { emitBind } from './bind-program.ts';
import { emitConnect } from './connect-program.ts';
import { SOCKET_PROTOCOL } from './context.ts';
import { SOCKET_EVENT_NUMBER, type SocketEventName } from './event-number.ts';
import { emitIngress } from './ingress-program.ts';
import { emitLookup } from './lookup-program.ts';
import { emitRelease } from './release-program.ts';
import type { ProgramOptions } from './report.ts';
import { emitSend } from './send-program.ts';
import { emitSockOps } from './sock-ops-program.ts';

/** One place for programs. */
export interface Hook {
  readonly type: number;
  readonly attachType: number;
  /** Its programs can fail a call, so their order matters. */
  readonly canBlock: boolean;
  /** Hooked in at a network namespace, not at the root of the control groups. */
  readonly isInNamespace: boolean;
  readonly emit: (assembler: Assembler, options: ProgramOptions) => void;
}

const { CGROUP_SOCK, CGROUP_SOCK_ADDR, CGROUP_SKB, SOCK_OPS, SK_LOOKUP } = BPF_PROG_TYPE;
const AT = BPF_ATTACH_TYPE;

function blocking(type: number, attachType: number, emit: Hook['emit']): Hook {
  return { type, attachType, canBlock: true, isInNamespace: false, emit };
}

function watching(type: number, attachType: number, emit: Hook['emit']): Hook {
  return { type, attachType, canBlock: false, isInNamespace: type === SK_LOOKUP, emit };
}

const HOOKS = {
  bind: [
    blocking(CGROUP_SOCK, AT.BPF_CGROUP_INET4_POST_BIND, (a, o) => emitBind(a, o, false)),
    blocking(CGROUP_SOCK, AT.BPF_CGROUP_INET6_POST_BIND, (a, o) => emitBind(a, o, true)),
  ],
  connect: [
    blocking(CGROUP_SOCK_ADDR, AT.BPF_CGROUP_INET4_CONNECT, (a, o) => emitConnect(a, o, false)),
    blocking(CGROUP_SOCK_ADDR, AT.BPF_CGROUP_INET6_CONNECT, (a, o) => emitConnect(a, o, true)),
  ],
  send: [
    blocking(CGROUP_SOCK_ADDR, AT.BPF_CGROUP_UDP4_SENDMSG, (a, o) => emitSend(a, o, false)),
    blocking(CGROUP_SOCK_ADDR, AT.BPF_CGROUP_UDP6_SENDMSG, (a, o) => emitSend(a, o, true)),
  ],
  sockOps: [blocking(SOCK_OPS, AT.BPF_CGROUP_SOCK_OPS, emitSockOps)],
  ingress: [watching(CGROUP_SKB, AT.BPF_CGROUP_INET_INGRESS, emitIngress)],
  release: [watching(CGROUP_SOCK, AT.BPF_CGROUP_INET_SOCK_RELEASE, emitRelease)],
  lookup: [watching(SK_LOOKUP, AT.BPF_SK_LOOKUP, emitLookup)],
} as const satisfies Readonly<Record<string, readonly Hook[]>>;

/** A program for a hook. */
export interface HookProgram {
  readonly hook: Hook;
  readonly instructions: readonly Instruction[];
}

/** What a filter needs. */
export interface HookPlan {
  readonly hooks: readonly Hook[];
  readonly tracksPorts: boolean;
  readonly tracksFlows: boolean;
  readonly reportsClose: boolean;
  /** Listeners may be refused. */
  readonly refusesListeners: boolean;
}

/**
 * Works out what a filter needs. What cannot match is not watched, unless something else needs it.
 *
 * @param tests the decision graph
 */
export function planHooks(tests: readonly FilterTest[], mode: ProgramOptions['mode']): HookPlan {
  const { TCP, UDP } = SOCKET_PROTOCOL;
  const can = (name: SocketEventName, protocol: number): boolean =>
    canMatchEvent(tests, 'socket', { event: SOCKET_EVENT_NUMBER[name], protocol });
  const either = (name: SocketEventName): boolean => can(name, TCP) || can(name, UDP);
  const blocks = mode !== 'sniff';
  const close = mode !== 'drop' && either('close');
  const listen = can('listen', TCP);
  const lookup = blocks && (either('accept') || listen);
  const flows = can('connect', UDP) || can('accept', UDP);
  const needed: Readonly<Record<keyof typeof HOOKS, boolean>> = {
    bind: either('bind') || close || can('accept', UDP),
    connect: either('connect') || close,
    send: flows || close,
    sockOps: listen || lookup || close || (!blocks && (can('connect', TCP) || can('accept', TCP))),
    ingress: flows,
    release: close || lookup,
    lookup,
  };
  const names = Object.keys(HOOKS) as (keyof typeof HOOKS)[];
  return {
    hooks: names.flatMap((name): readonly Hook[] => (needed[name] ? HOOKS[name] : [])),
    tracksPorts: lookup,
    tracksFlows: flows,
    reportsClose: close,
    refusesListeners: blocks && listen,
  };
}

/** The program of a hook. */
export function buildProgram(hook: Hook, options: ProgramOptions): readonly Instruction[] {
  const assembler = new Assembler();
  hook.emit(assembler, options);
  return assembler.assemble().instructions;
}
