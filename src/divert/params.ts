/**
 * A handle's parameters (WinDivert manual, WinDivertSetParam): limits of its queue, and the version.
 *
 * @module
 */
import {
  checkParam,
  invalidParameter,
  PARAM_RANGES,
  type ParamName,
  type SettableParam,
  WINDIVERT_VERSION,
} from './options.ts';
import type { QueueLimits } from './packet-queue.ts';

const LIMIT_OF = {
  queueLength: 'length',
  queueTimeMs: 'timeMs',
  queueSizeBytes: 'sizeBytes',
} as const satisfies Record<SettableParam, keyof QueueLimits>;

/** @throws {@link DivertError} `invalid-parameter` for a name that there is not */
export function readParam(limits: QueueLimits, name: ParamName): number {
  if (isSettable(name)) return limits[LIMIT_OF[name]];
  if (name === 'versionMajor') return WINDIVERT_VERSION.major;
  if (name === 'versionMinor') return WINDIVERT_VERSION.minor;
  throw invalidParameter(`There is no parameter ${JSON.stringify(name satisfies never)}.`);
}

/** @throws {@link DivertError} `invalid-parameter` out of range, or for a version */
export function writeParam(limits: QueueLimits, name: ParamName, value: number): void {
  if (!isSettable(name)) throw invalidParameter(`${name} cannot be set.`);
  limits[LIMIT_OF[name]] = checkParam(name, value);
}

function isSettable(name: ParamName): name is SettableParam {
  return Object.hasOwn(PARAM_RANGES, name);
}
