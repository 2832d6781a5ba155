/**
 * One-shot evaluation, as `WinDivertHelperEvalFilter`.
 *
 * @module
 */

import { DivertError, FilterError } from '../errors.ts';
import type { AddressInit, Layer } from '../packet/address.ts';
import { addressLayer } from './address-fields.ts';
import { type CompileOptions, compileFilter } from './compile.ts';
import { createEvaluator } from './evaluator.ts';
import type { Filter } from './filter.ts';
import { createInterpreter } from './interpret.ts';

/**
 * Whether a packet or event matches a filter. To hold many packets against one filter, compile it
 * once and use {@link Filter.matches}.
 *
 * @param source - filter text or object string
 * @param packet - from the IP header on; null on the flow, socket and reflect layers
 * @param address - its layer (absent: network) is the layer of the filter; absent keys are 0 or false
 * @param options - dialect and sets, as for {@link compileFilter}
 * @returns whether it matches; what a packet does not have matches nothing but `not <header>`
 * @throws {@link DivertError} `invalid-parameter` when the filter does not compile, there is no address or its
 *   layer is none, on the network and forward layers when there is no packet with a valid IP header of the
 *   family `address.ipv6` says, on the flow and socket layers when there is a packet, and when an object string
 *   reaches a field the layer does not have
 * @example
 * evaluateFilter('tcp.DstPort == 443', packet, { outbound: true });
 */
export function evaluateFilter(
  source: string,
  packet: Uint8Array | null,
  address: AddressInit,
  options: CompileOptions = {},
): boolean {
  const layer = address ? addressLayer(address, 'network') : null;
  if (layer === null) {
    throw new DivertError('invalid-parameter', 'evaluate filter: the address has no valid layer');
  }
  const { tests, usesProcess } = compile(source, layer, options);
  const evaluate = createEvaluator(layer, createInterpreter(tests, layer), usesProcess);
  return evaluate(packet, address);
}

function compile(source: string, layer: Layer, options: CompileOptions): Filter {
  try {
    return compileFilter(source, layer, options);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    throw new DivertError('invalid-parameter', `evaluate filter: ${error.message}`, {
      cause: error,
    });
  }
}
