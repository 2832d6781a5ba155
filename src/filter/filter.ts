/**
 * A compiled filter.
 *
 * @module
 */

import type { AddressInit, Layer } from '../packet/address.ts';
import { compileMatcher } from './emit-js.ts';
import { createEvaluator, type Evaluator } from './evaluator.ts';
import { formatTests } from './format.ts';
import type { FilterTest } from './graph.ts';
import { writeObject } from './object.ts';
import type { FilterWarning } from './warning.ts';

/** What a {@link Filter} is made of. */
export interface FilterParts {
  readonly layer: Layer;
  readonly source: string;
  readonly tests: readonly FilterTest[];
  /** Called at most once, when the warnings are asked for. Absent: there are none. */
  readonly findWarnings?: () => readonly FilterWarning[];
}

/** A filter that compiled: its decision graph, and everything made from it. Immutable. */
export class Filter {
  readonly layer: Layer;
  /** The text or object string it was compiled from. */
  readonly source: string;
  /** The decision graph, in order. */
  readonly tests: readonly FilterTest[];
  readonly #findWarnings: (() => readonly FilterWarning[]) | undefined;
  #warnings: readonly FilterWarning[] | undefined;
  #object: string | undefined;
  #evaluate: Evaluator | undefined;

  constructor({ layer, source, tests, findWarnings }: FilterParts) {
    this.layer = layer;
    this.source = source;
    this.tests = tests;
    this.#findWarnings = findWarnings;
  }

  /** WinDivert's object string, as its driver takes it. */
  get object(): string {
    this.#object ??= writeObject(this.tests);
    return this.#object;
  }

  /** What compiles but hardly means what it looks like. Found when first asked for. */
  get warnings(): readonly FilterWarning[] {
    this.#warnings ??= this.#findWarnings?.() ?? [];
    return this.#warnings;
  }

  /**
   * Whether a packet or event matches.
   *
   * @param packet - from the IP header on, and `null` on the layers without packets
   * @param address - what WinDivert would say about it; absent keys are 0 or false
   * @throws {@link DivertError} `invalid-parameter` where `WinDivertHelperEvalFilter` fails
   */
  matches(packet: Uint8Array | null, address: AddressInit): boolean {
    this.#evaluate ??= createEvaluator(this.layer, compileMatcher(this.tests, this.layer));
    return this.#evaluate(packet, address);
  }

  /**
   * The filter as text, exactly as `WinDivertHelperFormatFilter` prints it.
   *
   * @throws {@link DivertError} `insufficient-buffer` for an object whose text would exceed 1 MiB
   */
  format(): string {
    return formatTests(this.tests, this.layer);
  }
}
