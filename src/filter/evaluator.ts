/**
 * Evaluates one filter on packets with addresses as callers write them.
 *
 * @module
 */

import { DivertError } from '../errors.ts';
import type { AddressInit, Layer } from '../packet/address.ts';
import { addressLayer, fillAddress, fillProcess } from './address-fields.ts';
import { MATCH, type Matcher, MatchInput, NO_PACKET } from './match-input.ts';

/** Whether a packet (none on the event layers) with an address matches. */
export type Evaluator = (packet: Uint8Array | null, address: AddressInit) => boolean;

const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * Puts a matcher behind the public types.
 *
 * @param layer - of the filter; an address may leave it out, but not name another one
 * @param matcher - as one of the engines makes it
 * @param usesProcess - whether the filter has fields of the extended dialect
 * @returns a function that throws {@link DivertError} `invalid-parameter` where `WinDivertHelperEvalFilter`
 *   fails: no address, another layer, a packet that is none or of the other family than the address says,
 *   a packet on an event layer, or a field the layer does not have
 */
export function createEvaluator(layer: Layer, matcher: Matcher, usesProcess = false): Evaluator {
  const input = new MatchInput();
  return (packet, address) => {
    if (!address || addressLayer(address, layer) !== layer) {
      throw new DivertError(
        'invalid-parameter',
        `evaluate filter: the address is not one of layer ${layer}`,
      );
    }
    fillAddress(input, address, layer);
    if (usesProcess) fillProcess(input, address);
    input.memory = packet ?? NOTHING;
    input.length = packet ? packet.length : NO_PACKET;
    const result = matcher(input);
    // A packet is not kept alive by the filter it was held against.
    input.memory = NOTHING;
    if (result === MATCH.INVALID) throw invalidInput(layer, packet);
    return result === MATCH.YES;
  };
}

function invalidInput(layer: Layer, packet: Uint8Array | null): DivertError {
  const onPackets = layer === 'network' || layer === 'forward';
  if (onPackets && !packet) {
    return new DivertError('invalid-parameter', `evaluate filter: layer ${layer} needs a packet`);
  }
  const reason = onPackets
    ? 'the packet has no valid IP header or is not of the family its address says'
    : `layer ${layer} has no packets`;
  return new DivertError(
    'invalid-parameter',
    `evaluate filter: ${reason}, or the filter reached a field that is not on layer ${layer}`,
  );
}
