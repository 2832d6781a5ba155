/**
 * Options of `open`, their defaults and limits (WinDivert manual, sections on WinDivertOpen
 * and WinDivertSetParam).
 *
 * @module
 */
import { DivertError } from '../errors.ts';
import { compileFilter, type Dialect, type Filter, type FilterSets } from '../filter/index.ts';
import { LAYERS, type Layer } from '../packet/address.ts';
import type { Backend } from './backend.ts';

export type Mode = 'divert' | 'sniff' | 'drop';
export type Access = 'both' | 'receive' | 'send';
/** What becomes of a packet nobody decides about. */
export type Fate = 'drop' | 'pass';

/** How a handle works. Every option has WinDivert's default. */
export interface OpenOptions {
  /**
   * What is taken. 'network': packets to and from this host; 'forward': packets through it; 'flow':
   * the beginning and end of flows; 'socket': operations on sockets; 'reflect': handles.
   */
  layer?: Layer;
  /** -30000..30000; higher sees packets first. */
  priority?: number;
  /**
   * 'divert' takes packets out, 'drop' drops them in the kernel, 'sniff' copies them. On the socket layer
   * 'divert' blocks and reports, 'drop' blocks, 'sniff' reports; flow and reflect handles sniff.
   */
  mode?: Mode;
  /** What the handle may do. */
  access?: Access;
  /** Deliver inbound fragments as they come instead of the reassembled packet. */
  fragments?: boolean;
  /** false: fail instead of installing a driver (Windows). */
  install?: boolean;
  /** Packets that wait for `receive`: 32..16384, default 4096. */
  queueLength?: number;
  /** How long one waits, in milliseconds: 100..16000, default 2000. */
  queueTimeMs?: number;
  /**
   * Bytes that wait: 65535..33554432, default 4194304, with `largePackets` the maximum. Mode 'sniff'
   * has a ring of 8 times as many.
   */
  queueSizeBytes?: number;
  /** A full queue loses the oldest packet, or lets it through. */
  onOverload?: Fate;
  /** Packets that still wait when the handle closes. */
  onExit?: Fate;
  /** Packets taken out of the queue and neither sent nor dropped. */
  unhandled?: Fate;
  /** Sniff mode: bytes kept of each packet, 1..65575; default: all. */
  snapLength?: number;
  /** Linux: path of the network namespace to work in, e.g. `/run/netns/NAME`. */
  namespace?: string;
  /** The language of the filter: WinDivert's own, or that with additions. */
  dialect?: Dialect;
  /** Dialect 'extended': the sets the filter names, as in `ip.SrcAddr in @blocked`. */
  sets?: FilterSets;
  /** Fill `packet.process`. */
  attribution?: boolean;
  /**
   * Linux: deliver super-packets, of which the device makes segments, whole: several times the TCP
   * throughput. Mode 'sniff' always does. Checksums may not be final then: `address` says so.
   */
  largePackets?: boolean;
  /** Socket layer: name of the error that a blocked bind or connect fails with, default 'EPERM'. */
  blockError?: string;
  /**
   * Flow layer: after how many milliseconds of silence a flow without connections (UDP, ICMP) counts as
   * ended: 100..3600000, default 60000.
   */
  flowTimeoutMs?: number;
  /** Closes the handle; a waiting receive ends, it does not throw. */
  signal?: AbortSignal;
  /** Default: this machine's kernel. */
  backend?: Backend;
}

/** Options of a handle for packets. */
export type NetworkOpenOptions = OpenOptions & { readonly layer?: 'network' | 'forward' };

/** Names of a handle's parameters (WINDIVERT_PARAM). */
export type ParamName =
  | 'queueLength'
  | 'queueTimeMs'
  | 'queueSizeBytes'
  | 'versionMajor'
  | 'versionMinor';

interface Range {
  readonly minimum: number;
  readonly maximum: number;
  readonly default: number;
}

/** Ranges of the parameters that can be set. */
export const PARAM_RANGES: Readonly<
  Record<'queueLength' | 'queueTimeMs' | 'queueSizeBytes', Range>
> = {
  queueLength: { minimum: 32, maximum: 16384, default: 4096 },
  queueTimeMs: { minimum: 100, maximum: 16000, default: 2000 },
  queueSizeBytes: { minimum: 65535, maximum: 33554432, default: 4194304 },
};
export type SettableParam = keyof typeof PARAM_RANGES;

/** The version of WinDivert whose behaviour this is. */
export const WINDIVERT_VERSION = { major: 2, minor: 2 } as const;

const PRIORITY_LIMIT = 30000;
/** The largest packet: an IPv6 header and 65,535 bytes, as WinDivert counts. */
const MAX_LENGTH = 65_575;

/** Options with every default filled in. */
export interface ResolvedOptions {
  readonly layer: 'network' | 'forward';
  readonly priority: number;
  readonly mode: Mode;
  readonly access: Access;
  readonly queueLength: number;
  readonly queueTimeMs: number;
  readonly queueSizeBytes: number;
  readonly onOverload: Fate;
  readonly onExit: Fate;
  readonly unhandled: Fate;
  readonly snapLength: number;
  readonly fragments: boolean;
  /** Changes nothing on Linux; others are told (reflect layer). */
  readonly install: boolean;
  readonly largePackets: boolean;
  readonly attribution: boolean;
  readonly namespace: string | undefined;
  readonly signal: AbortSignal | undefined;
  readonly language: FilterLanguage;
}

/** An argument WinDivert would refuse with ERROR_INVALID_PARAMETER. */
export function invalidParameter(message: string, hint?: string): DivertError {
  return new DivertError('invalid-parameter', message, { hint });
}

/**
 * Checks options and fills the defaults in.
 *
 * @throws {@link DivertError} `invalid-parameter` for a value out of range or an impossible combination
 * @throws {@link UnsupportedError} for what this version cannot do
 */
export function resolveOptions(options: OpenOptions): ResolvedOptions {
  const layer = checkLayer(options.layer ?? 'network');
  const mode = oneOf('mode', options.mode ?? 'divert', ['divert', 'sniff', 'drop']);
  const access = oneOf('access', options.access ?? 'both', ['both', 'receive', 'send']);
  if (options.snapLength !== undefined && mode !== 'sniff') {
    throw invalidParameter("Option snapLength is for mode 'sniff'.", 'Leave it out.');
  }
  return {
    layer,
    priority: checkPriority(options.priority),
    mode,
    access,
    queueLength: checkParam('queueLength', options.queueLength),
    queueTimeMs: checkParam('queueTimeMs', options.queueTimeMs),
    queueSizeBytes: checkParam('queueSizeBytes', options.queueSizeBytes ?? defaultSize(options)),
    onOverload: oneOf('onOverload', options.onOverload ?? 'drop', ['drop', 'pass']),
    onExit: oneOf('onExit', options.onExit ?? 'pass', ['drop', 'pass']),
    unhandled: oneOf('unhandled', options.unhandled ?? 'drop', ['drop', 'pass']),
    snapLength: inRange('snapLength', options.snapLength ?? MAX_LENGTH, 1, MAX_LENGTH),
    fragments: options.fragments ?? false,
    install: options.install ?? true,
    largePackets: options.largePackets ?? false,
    attribution: options.attribution ?? false,
    namespace: options.namespace,
    signal: options.signal,
    language: { dialect: options.dialect, sets: options.sets },
  };
}

/** 64 large packets are 4 MB: a few TCP connections have more on the way. */
function defaultSize({ largePackets, mode }: OpenOptions): number {
  const { queueSizeBytes } = PARAM_RANGES;
  return largePackets && mode !== 'sniff' ? queueSizeBytes.maximum : queueSizeBytes.default;
}

/** Checks a priority; undefined is 0. */
export function checkPriority(priority: number | undefined): number {
  return inRange('priority', priority ?? 0, -PRIORITY_LIMIT, PRIORITY_LIMIT);
}

/** Checks the value of a parameter that can be set; undefined is its default. */
export function checkParam(name: SettableParam, value: number | undefined): number {
  const range = PARAM_RANGES[name];
  return inRange(name, value ?? range.default, range.minimum, range.maximum);
}

/** How the filters of a handle are written. */
export type FilterLanguage = Pick<OpenOptions, 'dialect' | 'sets'>;

/**
 * A handle's filter: text in the handle's dialect, or one that was compiled for its layer.
 *
 * @throws {@link FilterError} when the text is wrong
 * @throws {@link DivertError} `invalid-parameter` for a compiled filter of another layer, an unknown dialect,
 * or sets without the extended dialect
 */
export function toFilter(
  filter: string | Filter,
  layer: Layer,
  { dialect = 'windivert', sets }: FilterLanguage,
): Filter {
  oneOf('dialect', dialect, ['windivert', 'extended']);
  if (sets && dialect !== 'extended') {
    throw invalidParameter("Option sets is for dialect 'extended'.", "Add dialect: 'extended'.");
  }
  const compiled =
    typeof filter === 'string' ? compileFilter(filter, layer, { dialect, sets }) : filter;
  checkFilterLayer(compiled, layer);
  return compiled;
}

/** Refuses a compiled filter that belongs to another layer than the handle. */
function checkFilterLayer(filter: Filter, layer: Layer): void {
  if (filter.layer === layer) return;
  throw invalidParameter(
    `The filter was compiled for the ${filter.layer} layer, the handle is on the ${layer} layer.`,
    `Compile it with compileFilter(text, '${layer}').`,
  );
}

function checkLayer(layer: Layer): 'network' | 'forward' {
  if (layer === 'network' || layer === 'forward') return layer;
  throw invalidParameter(
    `Option layer is ${JSON.stringify(layer)}.`,
    `It can be ${LAYERS.map((name) => `'${name}'`).join(', ')}.`,
  );
}

/** Checks a choice. */
export function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  throw invalidParameter(
    `Option ${name} is ${JSON.stringify(value)}.`,
    `It can be ${allowed.map((choice) => `'${choice}'`).join(', ')}.`,
  );
}

function inRange(name: string, value: number, minimum: number, maximum: number): number {
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  throw invalidParameter(
    `Option ${name} is ${JSON.stringify(value)}.`,
    `It is a whole number from ${minimum} to ${maximum}.`,
  );
}
