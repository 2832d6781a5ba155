/**
 * Layer and flags of `WinDivertOpen` as options of `open` (WinDivert manual, section WinDivertOpen).
 *
 * @module
 */
import { invalidParameter, type OpenOptions } from '../divert/options.ts';
import { LAYERS, type Layer } from '../packet/address.ts';
import {
  WINDIVERT_FLAG_DROP as DROP,
  WINDIVERT_FLAG_FRAGMENTS as FRAGMENTS,
  WINDIVERT_FLAG_NO_INSTALL as NO_INSTALL,
  WINDIVERT_FLAG_RECV_ONLY as RECV_ONLY,
  WINDIVERT_FLAG_SEND_ONLY as SEND_ONLY,
  WINDIVERT_FLAG_SNIFF as SNIFF,
} from './constants.ts';

const ALL = SNIFF | DROP | RECV_ONLY | SEND_ONLY | NO_INSTALL | FRAGMENTS;
/** What a handle on an event layer must be opened with. */
const REQUIRED: Readonly<Record<Layer, number>> = {
  network: 0,
  forward: 0,
  flow: SNIFF | RECV_ONLY,
  socket: RECV_ONLY,
  reflect: SNIFF | RECV_ONLY,
};

/**
 * Options for a layer and flags.
 *
 * @param layer `WINDIVERT_LAYER_*`
 * @param flags `WINDIVERT_FLAG_*`
 * @throws {@link DivertError} `invalid-parameter` (87) for a layer or flag that there is not, for flags
 * that exclude each other, and for an event layer without the flags it needs
 */
export function resolveFlags(
  layer: number,
  flags: number | bigint,
): OpenOptions & { readonly layer: Layer } {
  const name = LAYERS[layer];
  if (name === undefined) throw invalidParameter(`There is no layer ${layer}.`);
  const wide = BigInt(flags);
  if ((wide & ~BigInt(ALL)) !== 0n) throw refusal(wide, 'there are bits without a meaning');
  const bits = Number(wide);
  if (hasAll(bits, SNIFF | DROP)) throw refusal(wide, 'SNIFF and DROP exclude each other');
  if (hasAll(bits, RECV_ONLY | SEND_ONLY)) {
    throw refusal(wide, 'RECV_ONLY and SEND_ONLY exclude each other');
  }
  if (!hasAll(bits, REQUIRED[name])) {
    throw refusal(wide, `the ${name} layer needs 0x${REQUIRED[name].toString(16)}`);
  }
  return {
    layer: name,
    mode: bits & SNIFF ? 'sniff' : bits & DROP ? 'drop' : 'divert',
    access: bits & RECV_ONLY ? 'receive' : bits & SEND_ONLY ? 'send' : 'both',
    install: !(bits & NO_INSTALL),
    // Nothing on the event layers is a fragment.
    fragments: (bits & FRAGMENTS) !== 0 && REQUIRED[name] === 0,
  };
}

function hasAll(bits: number, wanted: number): boolean {
  return (bits & wanted) === wanted;
}

function refusal(flags: bigint, reason: string): Error {
  return invalidParameter(`WinDivertOpen flags 0x${flags.toString(16)}: ${reason}.`);
}
