/**
 * Options of handles on the event layers (WinDivert manual, sections on WinDivertOpen and the
 * layers: flow and reflect handles watch, socket handles also block).
 *
 * @module
 */
import { constants } from 'node:os';
import type { Layer } from '../packet/address.ts';
import {
  checkParam,
  checkPriority,
  type FilterLanguage,
  invalidParameter,
  type Mode,
  type OpenOptions,
  oneOf,
} from './options.ts';

export type EventLayer = 'flow' | 'socket' | 'reflect';

/** Options with every default filled in. */
export interface ResolvedEventOptions {
  readonly layer: EventLayer;
  readonly priority: number;
  readonly mode: Mode;
  readonly queueLength: number;
  readonly queueTimeMs: number;
  readonly queueSizeBytes: number;
  /** What a blocked bind or connect fails with, a positive errno. */
  readonly blockErrno: number;
  /** After how much silence a flow without connections (UDP, ICMP) counts as ended. */
  readonly flowTimeoutMs: number;
  /** Changes nothing on Linux; others are told (reflect layer). */
  readonly install: boolean;
  readonly namespace: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly language: FilterLanguage;
}

const FLOW_TIMEOUT_MS = { minimum: 100, maximum: 3_600_000, default: 60_000 } as const;
/** What only means something where there are packets. */
const PACKET_OPTIONS = [
  'onOverload',
  'onExit',
  'unhandled',
  'snapLength',
  'fragments',
  'largePackets',
] as const;

export function isEventLayer(layer: Layer | undefined): layer is EventLayer {
  return layer === 'flow' || layer === 'socket' || layer === 'reflect';
}

/**
 * Checks options and fills the defaults in. Flow and reflect handles always sniff and never send, and no
 * event handle sends: what says otherwise is refused.
 *
 * @throws {@link DivertError} `invalid-parameter` for a value out of range or an impossible combination
 */
export function resolveEventOptions(
  options: OpenOptions & { readonly layer: EventLayer },
): ResolvedEventOptions {
  const { layer } = options;
  const surplus = PACKET_OPTIONS.find((name) => options[name]);
  if (surplus !== undefined) {
    throw invalidParameter(
      `Option ${surplus} means nothing on the ${layer} layer.`,
      'Leave it out.',
    );
  }
  const isSocket = layer === 'socket';
  if (options.blockError !== undefined && !isSocket) {
    throw invalidParameter(`Option blockError is for the socket layer.`, 'Leave it out.');
  }
  if (options.flowTimeoutMs !== undefined && layer !== 'flow') {
    throw invalidParameter(`Option flowTimeoutMs is for the flow layer.`, 'Leave it out.');
  }
  checkAccess(options);
  return {
    layer,
    priority: checkPriority(options.priority),
    mode: checkMode(options.mode ?? (isSocket ? 'divert' : 'sniff'), layer),
    queueLength: checkParam('queueLength', options.queueLength),
    queueTimeMs: checkParam('queueTimeMs', options.queueTimeMs),
    queueSizeBytes: checkParam('queueSizeBytes', options.queueSizeBytes),
    blockErrno: checkErrno(options.blockError ?? 'EPERM'),
    flowTimeoutMs: checkTimeout(options.flowTimeoutMs ?? FLOW_TIMEOUT_MS.default),
    install: options.install ?? true,
    namespace: options.namespace,
    signal: options.signal,
    language: { dialect: options.dialect, sets: options.sets },
  };
}

function checkMode(mode: Mode, layer: EventLayer): Mode {
  oneOf('mode', mode, ['divert', 'sniff', 'drop']);
  if (layer === 'socket' || mode === 'sniff') return mode;
  throw invalidParameter(
    `Option mode is '${mode}', but the ${layer} layer can only be watched.`,
    "Use mode 'sniff' (WINDIVERT_FLAG_SNIFF), or leave it out.",
  );
}

function checkAccess({ access, layer }: OpenOptions): void {
  if (access === undefined) return;
  oneOf('access', access, ['both', 'receive', 'send']);
  if (access === 'receive') return;
  throw invalidParameter(
    `Option access is '${access}', but nothing can be sent on the ${layer} layer.`,
    "Use access 'receive' (WINDIVERT_FLAG_RECV_ONLY), or leave it out.",
  );
}

function checkErrno(name: string): number {
  const errno = (constants.errno as Readonly<Record<string, number>>)[name];
  if (errno !== undefined) return errno;
  throw invalidParameter(
    `Option blockError is ${JSON.stringify(name)}.`,
    'It is the name of a system error, e.g. EPERM, EACCES, ECONNREFUSED or ENETUNREACH.',
  );
}

function checkTimeout(milliseconds: number): number {
  const { minimum, maximum } = FLOW_TIMEOUT_MS;
  if (milliseconds >= minimum && milliseconds <= maximum) return milliseconds;
  throw invalidParameter(
    `Option flowTimeoutMs is ${JSON.stringify(milliseconds)}.`,
    `It is a number from ${minimum} to ${maximum}.`,
  );
}
