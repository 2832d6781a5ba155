/**
 * What this kernel's programs can do, found out by trying.
 *
 * @module
 */
import { Assembler } from '../../bpf/assembler.ts';
import type { HelperName } from '../../bpf/helper.ts';
import { R0, R1, R2, R6, R10 } from '../../bpf/instruction.ts';
import { SystemError, VerifierError } from '../../errors.ts';
import { BPF_ATTACH_TYPE, BPF_PROG_TYPE } from '../bpf/constants.ts';
import { createLink } from '../bpf/link.ts';
import { loadProgram, type Program } from '../bpf/program.ts';
import { openRootCgroup } from '../cgroup.ts';
import { ERRNO } from '../sys/constants.ts';
import { libc } from '../sys/libc.ts';
import type { ProgramOptions } from './report.ts';

/** What differs between kernels. */
export type Features = Pick<
  ProgramOptions,
  'hasReturnValue' | 'knowsProcessInCallbacks' | 'seesNamespaceOfPackets'
>;

/** Bytes of a name, and of the part of the stack it is tried on. */
const NAME_BYTES = 16;

/** The number of a link that is not there. */
const NO_LINK_ID = 0x7fff_ffff;

/** @param name of the programs, for listings */
export function probeFeatures(name: string): Features {
  const { CGROUP_SOCK_ADDR, SOCK_OPS, CGROUP_SKB } = BPF_PROG_TYPE;
  const { BPF_CGROUP_INET4_CONNECT, BPF_CGROUP_SOCK_OPS, BPF_CGROUP_INET_INGRESS } =
    BPF_ATTACH_TYPE;
  const canCall = (type: number, attachType: number, helpers: readonly HelperName[]): boolean =>
    loads(name, type, attachType, helpers);
  return {
    hasReturnValue: canCall(CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT, ['get_retval']),
    knowsProcessInCallbacks: canCall(SOCK_OPS, BPF_CGROUP_SOCK_OPS, [
      'get_current_pid_tgid',
      'get_current_uid_gid',
      'get_current_cgroup_id',
      'get_current_comm',
    ]),
    seesNamespaceOfPackets: canCall(CGROUP_SKB, BPF_CGROUP_INET_INGRESS, ['get_netns_cookie']),
  };
}

/**
 * Whether a program can be hooked in in front of others (Linux 6.17), which the order of priorities needs. Tried with a
 * link that is not there, so that nothing is hooked in.
 *
 * @param name of the program, for listings
 */
export function canChooseOrder(name: string): boolean {
  const attachType = BPF_ATTACH_TYPE.BPF_CGROUP_INET_SOCK_CREATE;
  using program = load(name, BPF_PROG_TYPE.CGROUP_SOCK, attachType, []);
  const cgroup = openRootCgroup();
  try {
    createLink(program, cgroup, attachType, NO_LINK_ID).close();
    return true;
  } catch (error) {
    // A kernel that knows places looked for the link.
    return error instanceof SystemError && error.errno === ERRNO.ENOENT;
  } finally {
    libc.close(cgroup);
  }
}

function loads(...program: Parameters<typeof load>): boolean {
  try {
    load(...program).close();
    return true;
  } catch (error) {
    if (error instanceof VerifierError) return false;
    throw error;
  }
}

/** A program that calls helpers and allows everything. */
function load(
  name: string,
  type: number,
  attachType: number,
  helpers: readonly HelperName[],
): Program {
  const assembler = new Assembler();
  assembler.move(R6, R1);
  for (const helper of helpers) {
    assembler.move(R1, R6);
    if (helper === 'get_current_comm') {
      assembler.move(R1, R10);
      assembler.alu('ADD', R1, -NAME_BYTES, 64);
      assembler.moveImmediate(R2, NAME_BYTES);
    }
    assembler.call(helper);
  }
  assembler.moveImmediate(R0, 1);
  assembler.exit();
  return loadProgram(assembler.assemble().instructions, { name, type, attachType });
}
