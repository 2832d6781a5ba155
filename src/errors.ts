/**
 * Every error class and every stable `code`. Match on `code`, never on the message.
 *
 * @module
 */

/** Codes of filter errors, as WinDivert's `WinDivertHelperCompileFilter` has them. */
export type FilterErrorCode =
  | 'out-of-memory'
  | 'too-deep'
  | 'too-long'
  | 'bad-token'
  | 'bad-token-for-layer'
  | 'unexpected-token'
  | 'index-out-of-bounds'
  | 'object-too-short'
  | 'bad-object'
  | 'internal';

/** Codes of everything else. Those with a Win32 number are WinDivert's own. */
export type DivertErrorCode =
  | FilterErrorCode
  | 'file-not-found'
  | 'access-denied'
  | 'invalid-parameter'
  | 'insufficient-buffer'
  | 'no-data'
  | 'host-unreachable'
  | 'service-does-not-exist'
  | 'driver-blocked'
  | 'bad-packet'
  | 'bad-capture'
  | 'closed'
  | 'stale-packet'
  | 'system'
  | 'netlink'
  | 'verifier'
  | 'worker-failed'
  | 'unsupported';

/** Win32 error numbers by code (winerror.h), where WinDivert documents one. */
export const WIN32_ERRORS: Readonly<Partial<Record<DivertErrorCode, number>>> = {
  'file-not-found': 2,
  'access-denied': 5,
  'invalid-parameter': 87,
  'insufficient-buffer': 122,
  'no-data': 232,
  'service-does-not-exist': 1060,
  'host-unreachable': 1232,
  'driver-blocked': 1275,
  // What Windows says for a handle that was closed: ERROR_INVALID_HANDLE.
  closed: 6,
  // WinDivertOpen says ERROR_INVALID_PARAMETER for a filter that does not compile.
  'out-of-memory': 87,
  'too-deep': 87,
  'too-long': 87,
  'bad-token': 87,
  'bad-token-for-layer': 87,
  'unexpected-token': 87,
  'index-out-of-bounds': 87,
  'object-too-short': 87,
  'bad-object': 87,
  internal: 87,
};

export interface DivertErrorOptions {
  /** What caused it, as in the standard `Error` constructor. */
  cause?: unknown;
  /** What the user can do, one sentence. */
  hint?: string | undefined;
}

/** Base class of every error of this package. */
export class DivertError extends Error {
  override readonly name: string = 'DivertError';
  /** Stable name of what went wrong. */
  readonly code: DivertErrorCode;
  /** What the user can do about it. */
  readonly hint: string | undefined;
  /** The Win32 error number WinDivert reports for the same condition. */
  readonly win32: number | undefined;

  constructor(code: DivertErrorCode, message: string, options: DivertErrorOptions = {}) {
    super(options.hint ? `${message}\n${options.hint}` : message, { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
    this.win32 = WIN32_ERRORS[code];
  }
}

/** A filter does not compile. The message shows the place and what was expected there. */
export class FilterError extends DivertError {
  override readonly name: string = 'FilterError';
  declare readonly code: FilterErrorCode;
  /** 0-based offset in `source` of the first character to blame, `source.length` at its end. */
  readonly position: number;
  /** The filter as it was given. */
  readonly source: string;

  constructor(
    code: FilterErrorCode,
    message: string,
    source: string,
    position: number,
    options: DivertErrorOptions = {},
  ) {
    super(code, message, options);
    this.source = source;
    this.position = position;
  }
}

/** A system call failed. `errno` and `syscall` are as in Node's own system errors. */
export class SystemError extends DivertError {
  override readonly name: string = 'SystemError';
  readonly errno: number;
  readonly syscall: string;

  constructor(
    syscall: string,
    errno: number,
    message: string,
    options: DivertErrorOptions & { code?: DivertErrorCode } = {},
  ) {
    super(options.code ?? 'system', message, options);
    this.syscall = syscall;
    this.errno = errno;
  }
}

/** The kernel refused a netlink message; `detail` and `offset` come from its extended acknowledgement. */
export class NetlinkError extends SystemError {
  override readonly name: string = 'NetlinkError';
  /** The kernel's own sentence, where it gave one. */
  readonly detail: string | undefined;
  /** Offset of the offending attribute in the request, in bytes. */
  readonly offset: number | undefined;

  constructor(
    operation: string,
    errno: number,
    message: string,
    extended: { detail?: string | undefined; offset?: number | undefined } = {},
    options: DivertErrorOptions = {},
  ) {
    super(operation, errno, message, { code: 'netlink', ...options });
    this.detail = extended.detail;
    this.offset = extended.offset;
  }
}

/** The kernel's verifier refused a program; `log` has every line it wrote. */
export class VerifierError extends SystemError {
  override readonly name: string = 'VerifierError';
  readonly log: readonly string[];

  constructor(
    errno: number,
    message: string,
    log: readonly string[],
    options: DivertErrorOptions = {},
  ) {
    super('bpf(BPF_PROG_LOAD)', errno, message, { code: 'verifier', ...options });
    this.log = log;
  }
}

/** A capability, kernel feature, module or tool is missing. */
export class UnsupportedError extends DivertError {
  override readonly name: string = 'UnsupportedError';
  /** What is missing, in the kernel's own terms. */
  readonly feature: string;
  /** First kernel version that has it, where that is what is missing. */
  readonly since: string | undefined;

  constructor(
    feature: string,
    message: string,
    options: DivertErrorOptions & { since?: string; code?: DivertErrorCode } = {},
  ) {
    super(options.code ?? 'unsupported', message, options);
    this.feature = feature;
    this.since = options.since;
  }
}

/** A capture file is truncated, corrupt or of another kind. `code` is `'bad-capture'`. */
export class CaptureError extends DivertError {
  override readonly name: string = 'CaptureError';
  /** Where in the file, in bytes from its start: the record or block that cannot be read. */
  readonly offset: number;

  constructor(offset: number, message: string, options: DivertErrorOptions = {}) {
    super('bad-capture', `${message} (at byte ${offset})`, options);
    this.offset = offset;
  }
}
