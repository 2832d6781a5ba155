/**
 * Giving up every capability that a program does not need.
 *
 * Capabilities belong to threads, and the C library has no call that changes them in all of them: a
 * process of Node.js has those of libuv and V8 besides its own. So the main thread gives them up and
 * runs the program anew in its place; no thread of the new run ever had more.
 *
 * @module
 */
import { isMainThread } from 'node:worker_threads';
import { DivertError, UnsupportedError } from '../../errors.ts';
import { CAPABILITY, CAPSET, PRCTL } from '../sys/constants.ts';
import { check, libc } from '../sys/libc.ts';
import { restartProgram } from './exec.ts';
import {
  type Capability,
  type CapabilitySet,
  missingFrom,
  readPrivileges,
  toSet,
} from './thread-privileges.ts';
import { findUser, type UserIds } from './user.ts';

/** What {@link dropPrivileges} leaves. */
export interface DropPrivilegesOptions {
  /** What is kept. Default: what a handle on the network layers needs, `CAP_NET_ADMIN` and `CAP_BPF`. */
  readonly capabilities?: readonly Capability[];
  /** Whom to run as, by name or numbers; only root may choose. Default: the user it is. */
  readonly user?: string | UserIds;
}

/** Holds the process's number once it was run anew, so that it is not done for ever. */
const MARKER = 'NETDIVERT_PRIVILEGES_DROPPED';
const DEFAULT: readonly Capability[] = ['CAP_NET_ADMIN', 'CAP_BPF'];
const WORD_BITS = 32n;
const WORD_MASK = 0xffffffffn;

/** @see the function of the same name in `src/privileges.ts` */
export function dropPrivileges({ capabilities = DEFAULT, user }: DropPrivilegesOptions): void {
  checkNames(capabilities);
  const ids = typeof user === 'string' ? findUser(user) : user;
  const kept = toSet(capabilities);
  const { permitted, hasNoNewPrivileges } = readPrivileges();
  const [missing] = missingFrom(permitted, capabilities);
  if (missing) throw missingCapability(missing, 'keep');
  const isUser = ids === undefined || process.getuid?.() === ids.uid;
  if (permitted === kept && hasNoNewPrivileges && isUser) return;
  if (process.env[MARKER] === String(process.pid)) {
    throw new DivertError('system', 'The program was run anew and still has other privileges.');
  }
  if (!isMainThread) {
    throw new DivertError('invalid-parameter', 'Privileges are dropped in the main thread.', {
      hint: 'Call dropPrivileges at the beginning of the program, before it starts workers.',
    });
  }
  if (!isUser) checkMayBecomeUser(permitted);
  narrowBoundingSet(permitted, kept);
  if (ids && !isUser) becomeUser(ids);
  setCapabilities(kept);
  for (const name of capabilities) {
    const { PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE } = PRCTL;
    callPrctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAPABILITY[name]);
  }
  callPrctl(PRCTL.PR_SET_NO_NEW_PRIVS, 1);
  restartProgram({ ...process.env, [MARKER]: String(process.pid) });
}

function checkNames(names: readonly string[]): void {
  const unknown = names.find((name) => !Object.hasOwn(CAPABILITY, name));
  if (unknown === undefined) return;
  throw new DivertError(
    'invalid-parameter',
    `There is no capability ${JSON.stringify(unknown)}; names are as in CAP_NET_ADMIN.`,
  );
}

function checkMayBecomeUser(permitted: CapabilitySet): void {
  const [missing] = missingFrom(permitted, ['CAP_SETUID', 'CAP_SETGID']);
  if (missing) throw missingCapability(missing, 'become another user with');
}

/** Root has all that is in it after execve(2). Without CAP_SETPCAP, no-new-privileges does as much. */
function narrowBoundingSet(permitted: CapabilitySet, kept: CapabilitySet): void {
  if (missingFrom(permitted, ['CAP_SETPCAP']).length > 0) return;
  for (const name of missingFrom(kept, Object.keys(CAPABILITY) as Capability[])) {
    // Older kernels do not know the newest.
    libc.prctl(PRCTL.PR_CAPBSET_DROP, CAPABILITY[name], 0, 0, 0);
  }
}

function becomeUser({ uid, gid }: UserIds): void {
  callPrctl(PRCTL.PR_SET_KEEPCAPS, 1);
  process.setgroups?.([]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

/** Sets what the calling thread has and hands on. */
function setCapabilities(set: CapabilitySet): void {
  const header = new Uint8Array(CAPSET.HEADER_BYTES);
  new DataView(header.buffer).setUint32(0, CAPSET.VERSION_3, true);
  const data = new Uint8Array(2 * CAPSET.DATA_BYTES);
  const view = new DataView(data.buffer);
  for (const [index, word] of [set & WORD_MASK, set >> WORD_BITS].entries()) {
    for (const field of [CAPSET.EFFECTIVE, CAPSET.PERMITTED, CAPSET.INHERITABLE]) {
      view.setUint32(index * CAPSET.DATA_BYTES + field, Number(word), true);
    }
  }
  check(libc.capset(header, data), 'capset', 'give up capabilities');
}

function callPrctl(operation: number, first: number, second = 0): void {
  check(libc.prctl(operation, first, second, 0, 0), 'prctl', 'give up capabilities');
}

function missingCapability(name: Capability, purpose: string): UnsupportedError {
  return new UnsupportedError(name, `There is no ${name} to ${purpose}.`, {
    code: 'access-denied',
    hint: `Start the program as root, or with ${name}.`,
  });
}
