/**
 * Where the programs of a flow handle are hooked in: only where the filter can match what they see.
 *
 * @module
 */
import type { Instruction } from '../../bpf/instruction.ts';
import { canMatchEvent } from '../../filter/emit-event-bpf.ts';
import type { FilterTest } from '../../filter/graph.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../bpf/constants.ts';
import { createLink, type Link } from '../bpf/link.ts';
import { loadProgram, type Program } from '../bpf/program.ts';
import { openRootCgroup } from '../cgroup.ts';
import { libc } from '../sys/libc.ts';
import { FLOW_EVENT } from './layout.ts';
import { packetFlowProgram } from './packet-program.ts';
import type { FlowProgramOptions } from './program-options.ts';
import { releaseFlowProgram } from './release-program.ts';
import { tcpFlowProgram } from './tcp-program.ts';

const { SOCK_OPS, CGROUP_SKB, CGROUP_SOCK } = BPF_PROG_TYPE;
const ATTACH = BPF_ATTACH_TYPE;

const PACKET_PROTOCOLS: readonly number[] = [IPPROTO.UDP, IPPROTO.ICMP, IPPROTO.ICMPV6];

/** A program and where it goes. */
interface Hook {
  readonly type: number;
  readonly attachType: number;
  readonly instructions: readonly Instruction[];
}

/** The programs of one handle that are hooked in. */
export class FlowHooks {
  readonly #name: string;
  readonly #links = new Map<number, Link>();

  /** @param name of the programs, for listings */
  constructor(name: string) {
    this.#name = name;
  }

  /** Whether flows without connections are noticed. */
  get hasPackets(): boolean {
    return this.#links.has(ATTACH.BPF_CGROUP_INET_EGRESS);
  }

  /**
   * Hooks the programs of a filter in, in the place of those there: none is without one in between.
   *
   * @throws {@link UnsupportedError} naming what is missing; everything is as it was then
   */
  apply(options: FlowProgramOptions): void {
    const hooks = hooksOf(options, new Set(this.#links.keys()));
    const loaded: { attachType: number; program: Program }[] = [];
    try {
      for (const { type, attachType, instructions } of hooks) {
        const program = loadProgram(instructions, { name: this.#name, type, attachType });
        loaded.push({ attachType, program });
      }
      this.#attach(loaded.filter(({ attachType }) => !this.#links.has(attachType)));
      for (const { attachType, program } of loaded) this.#links.get(attachType)?.update(program);
    } finally {
      for (const { program } of loaded) program.close();
    }
  }

  /** Takes the programs out. Idempotent. */
  close(): void {
    for (const link of this.#links.values()) link.close();
    this.#links.clear();
  }

  #attach(programs: readonly { attachType: number; program: Program }[]): void {
    if (programs.length === 0) return;
    const cgroup = openRootCgroup();
    const added: number[] = [];
    try {
      for (const { attachType, program } of programs) {
        this.#links.set(attachType, createLink(program, cgroup, attachType));
        added.push(attachType);
      }
    } catch (error) {
      for (const attachType of added) {
        this.#links.get(attachType)?.close();
        this.#links.delete(attachType);
      }
      throw error;
    } finally {
      libc.close(cgroup);
    }
  }
}

/** @param present hooks that stay: what began while they were there must end */
function hooksOf(options: FlowProgramOptions, present: ReadonlySet<number>): Hook[] {
  const { tests } = options;
  const hooks: Hook[] = [];
  if (canMatch(tests, IPPROTO.TCP) || present.has(ATTACH.BPF_CGROUP_SOCK_OPS)) {
    const attachType = ATTACH.BPF_CGROUP_SOCK_OPS;
    hooks.push({ type: SOCK_OPS, attachType, instructions: tcpFlowProgram(options) });
  }
  const protocols = PACKET_PROTOCOLS.filter((protocol) => canMatch(tests, protocol));
  if (protocols.length > 0 || present.has(ATTACH.BPF_CGROUP_INET_EGRESS))
    hooks.push(...packetHooks(options, protocols));
  return hooks;
}

function packetHooks(options: FlowProgramOptions, protocols: readonly number[]): Hook[] {
  const packets = (direction: 'inbound' | 'outbound') =>
    packetFlowProgram({ ...options, direction, protocols });
  return [
    // First: no flow begins before its end can be noticed.
    {
      type: CGROUP_SOCK,
      attachType: ATTACH.BPF_CGROUP_INET_SOCK_RELEASE,
      instructions: releaseFlowProgram(options),
    },
    {
      type: CGROUP_SKB,
      attachType: ATTACH.BPF_CGROUP_INET_EGRESS,
      instructions: packets('outbound'),
    },
    {
      type: CGROUP_SKB,
      attachType: ATTACH.BPF_CGROUP_INET_INGRESS,
      instructions: packets('inbound'),
    },
  ];
}

function canMatch(tests: readonly FilterTest[], protocol: number): boolean {
  const { ESTABLISHED, DELETED } = FLOW_EVENT;
  return [ESTABLISHED, DELETED].some((event) => canMatchEvent(tests, 'flow', { event, protocol }));
}
