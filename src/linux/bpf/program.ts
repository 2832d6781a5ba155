/**
 * Loading programs (`BPF_PROG_LOAD`).
 *
 * @module
 */

import { encodeInstructions, type Instruction } from '../../bpf/instruction.ts';
import { UnsupportedError, VerifierError } from '../../errors.ts';
import { ERRNO } from '../sys/constants.ts';
import { errnoText, libc } from '../sys/libc.ts';
import { allocate, cString, type Memory } from '../sys/memory.ts';
import { withoutSignals } from '../sys/signals.ts';
import { type BpfResult, bpfError, callBpf, raiseMemlockLimit, writeName } from './call.ts';
import { CAPABILITY, hasCapability } from './capability.ts';
import { BPF_COMMAND, BPF_PROG_TYPE } from './constants.ts';
import { mayLackPerfmon, parseVerifierLog, summarizeVerifierLog } from './verifier-log.ts';

/** Offsets in the `BPF_PROG_LOAD` part of `union bpf_attr`. */
const ATTRIBUTE = {
  PROG_TYPE: 0,
  INSN_CNT: 4,
  INSNS: 8,
  LICENSE: 16,
  LOG_LEVEL: 24,
  LOG_SIZE: 28,
  LOG_BUF: 32,
  PROG_FLAGS: 44,
  PROG_NAME: 48,
  EXPECTED_ATTACH_TYPE: 68,
} as const;
/** Up to and including `expected_attach_type`: Linux 4.17. */
const ATTRIBUTE_BYTES = 72;

const LOG_BYTES = 1 << 20;
/** SIGSTOP cannot be held back: loads that it interrupted are tried again. */
const MAX_TRIES = 20;
/** No fault of the program, whatever the verifier wrote. */
const NOT_THE_PROGRAM: ReadonlySet<number> = new Set([ERRNO.EMFILE, ERRNO.ENFILE, ERRNO.ENOMEM]);
const LOG_LEVEL_BRANCHES = 1;
const LOG_LEVEL_STATS = 4;

/** How to load a program. */
export interface LoadOptions {
  /** For `bpftool` and other listings, at most 15 letters, digits, `_` or `.`. */
  readonly name: string;
  /** `enum bpf_prog_type`. Default: a socket filter. */
  readonly type?: number;
  /** `enum bpf_attach_type`, for types that are checked for one hook. Default: 0. */
  readonly attachType?: number;
  /** `BPF_F_*` of program loading. Default: none. */
  readonly flags?: number;
  /** Some helpers are for programs under the GPL only. Default: 'MIT'. */
  readonly license?: string;
}

/** A loaded program. It lives as long as this, or a hook that has it, does. */
export interface Program extends Disposable {
  readonly fd: number;
  readonly name: string;
  /** Lets the file descriptor go. Hooks that have the program keep it. */
  close(): void;
}

/** What the verifier did. */
export interface VerifierStats {
  /** Instructions it looked at, counting each state it looked at them in. The kernel's limit is 1,000,000. */
  readonly processedInstructions: number;
  readonly log: readonly string[];
}

/**
 * Loads a program. Refused programs are loaded once more with the verifier's log switched on, and
 * taken when the kernel only lacked memory or a descriptor before.
 *
 * @param instructions what the assembler returned
 * @throws {@link VerifierError} when the verifier refuses it: a bug in the program
 * @throws {@link UnsupportedError} when a capability is missing
 */
export function loadProgram(instructions: readonly Instruction[], options: LoadOptions): Program {
  const attribute = new LoadAttribute(instructions, options);
  let outcome = attribute.load();
  if (outcome.errno === ERRNO.EPERM && raiseMemlockLimit()) outcome = attribute.load();
  const { errno } = outcome;
  // Missing capabilities are noticed before the verifier has a look; a second try says nothing more.
  if (errno !== 0 && errno !== ERRNO.EPERM) outcome = attribute.load(LOG_LEVEL_BRANCHES);
  if (outcome.errno !== 0) throw refusal(attribute, errno, options.name);
  return makeProgram(outcome.result, options.name);
}

/**
 * Loads a program and lets it go again, to learn what it costs to verify.
 *
 * @throws {@link VerifierError} when the verifier refuses it
 */
export function verifyProgram(
  instructions: readonly Instruction[],
  options: LoadOptions,
): VerifierStats {
  const attribute = new LoadAttribute(instructions, options);
  const { result, errno } = attribute.load(LOG_LEVEL_STATS);
  if (errno !== 0) throw refusal(attribute, errno, options.name);
  libc.close(result);
  const log = attribute.log();
  const processed = /^processed (\d+) insns/.exec(
    log.find((line) => /^processed/.test(line)) ?? '',
  );
  return { processedInstructions: Number(processed?.[1] ?? 0), log };
}

class LoadAttribute {
  readonly #attribute: Memory = allocate(ATTRIBUTE_BYTES);
  readonly #code: Memory;
  readonly #license: Memory;
  #log: Memory | null = null;

  constructor(instructions: readonly Instruction[], options: LoadOptions) {
    this.#code = copied(encodeInstructions(instructions));
    this.#license = copied(cString(options.license ?? 'MIT'));
    const { view, bytes } = this.#attribute;
    view.setUint32(ATTRIBUTE.PROG_TYPE, options.type ?? BPF_PROG_TYPE.SOCKET_FILTER, true);
    view.setUint32(ATTRIBUTE.INSN_CNT, instructions.length, true);
    view.setBigUint64(ATTRIBUTE.INSNS, this.#code.address, true);
    view.setBigUint64(ATTRIBUTE.LICENSE, this.#license.address, true);
    view.setUint32(ATTRIBUTE.PROG_FLAGS, options.flags ?? 0, true);
    view.setUint32(ATTRIBUTE.EXPECTED_ATTACH_TYPE, options.attachType ?? 0, true);
    writeName(bytes, ATTRIBUTE.PROG_NAME, options.name);
  }

  /** @param logLevel 0: no log, which is many times faster */
  load(logLevel = 0): BpfResult {
    const { view, bytes } = this.#attribute;
    if (logLevel !== 0) {
      this.#log = allocate(LOG_BYTES);
      view.setBigUint64(ATTRIBUTE.LOG_BUF, this.#log.address, true);
      view.setUint32(ATTRIBUTE.LOG_SIZE, LOG_BYTES, true);
    }
    view.setUint32(ATTRIBUTE.LOG_LEVEL, logLevel, true);
    // The verifier gives up when a signal comes in, and a profiler sends one every millisecond.
    return withoutSignals(() => {
      let outcome = callBpf(BPF_COMMAND.BPF_PROG_LOAD, bytes);
      for (let tries = 1; outcome.errno === ERRNO.EAGAIN && tries < MAX_TRIES; tries++) {
        outcome = callBpf(BPF_COMMAND.BPF_PROG_LOAD, bytes);
      }
      return outcome;
    });
  }

  log(): string[] {
    return this.#log === null ? [] : parseVerifierLog(this.#log.bytes);
  }
}

function copied(bytes: Uint8Array): Memory {
  const memory = allocate(bytes.length);
  memory.bytes.set(bytes);
  return memory;
}

function refusal(attribute: LoadAttribute, errno: number, name: string): Error {
  const log = attribute.log();
  if (log.length === 0 || NOT_THE_PROGRAM.has(errno))
    return bpfError('BPF_PROG_LOAD', errno, `load program ${name}`);
  const summary = summarizeVerifierLog(log);
  const error = new VerifierError(
    errno,
    `The kernel refused program ${name}: ${summary} (${errnoText(errno)})`,
    log,
  );
  if (!mayLackPerfmon(summary) || hasCapability(CAPABILITY.CAP_PERFMON)) return error;
  return missingPerfmon(name, summary, error);
}

function missingPerfmon(name: string, summary: string, cause: VerifierError): UnsupportedError {
  return new UnsupportedError('CAP_PERFMON', `Cannot load program ${name}: ${summary}`, {
    code: 'access-denied',
    cause,
    hint: 'Run with CAP_PERFMON besides CAP_BPF and CAP_NET_ADMIN, or as root.',
  });
}

function makeProgram(fd: number, name: string): Program {
  let isOpen = true;
  const close = (): void => {
    if (!isOpen) return;
    isOpen = false;
    libc.close(fd);
  };
  return { fd, name, close, [Symbol.dispose]: close };
}
