/**
 * A compiled filter.
 *
 * @module
 */

import type { AddressInit, Layer } from '../packet/address.ts';
import type { Dialect } from './dialect.ts';
import { compileMatcher } from './emit-js.ts';
import { createEvaluator, type Evaluator } from './evaluator.ts';
import type { FilterSet } from './extended/filter-set.ts';
import { formatExtended } from './extended/format.ts';
import { hasObject, kernelSets, usesProcess } from './extended/properties.ts';
import { formatTests } from './format.ts';
import type { FilterTest } from './graph.ts';
import { writeObject } from './object.ts';
import type { FilterWarning } from './warning.ts';

/** What a {@link Filter} is made of. */
export interface FilterParts {
  readonly layer: Layer;
  readonly source: string;
  readonly tests: readonly FilterTest[];
  /** Default `windivert`. */
  readonly dialect?: Dialect;
  /** Called at most once, when the warnings are asked for. Absent: there are none. */
  readonly findWarnings?: () => readonly FilterWarning[];
}

/** A filter that compiled: its decision graph, and everything made from it. Immutable. */
export class Filter {
  readonly layer: Layer;
  /** The language that `source` is written in. */
  readonly dialect: Dialect;
  /** The text or object string it was compiled from. */
  readonly source: string;
  /** The decision graph, in order. */
  readonly tests: readonly FilterTest[];
  readonly #findWarnings: (() => readonly FilterWarning[]) | undefined;
  #warnings: readonly FilterWarning[] | undefined;
  #object: string | undefined;
  #evaluate: Evaluator | undefined;

  constructor({ layer, source, tests, dialect = 'windivert', findWarnings }: FilterParts) {
    this.layer = layer;
    this.dialect = dialect;
    this.source = source;
    this.tests = tests;
    this.#findWarnings = findWarnings;
  }

  /**
   * WinDivert's object string, as its driver takes it. Empty where the extended dialect says what it cannot
   * hold: masks, larger sets, named sets, and fields of the process.
   */
  get object(): string {
    this.#object ??= hasObject(this.tests) ? writeObject(this.tests) : '';
    return this.#object;
  }

  /** The sets that a program in the kernel needs maps for: named ones, and large ones between braces. */
  get kernelSets(): readonly FilterSet[] {
    return kernelSets(this.tests);
  }

  /** Whether the filter asks for the process of a packet, or for the user or name of an event's. */
  get usesProcess(): boolean {
    return usesProcess(this.tests);
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
    this.#evaluate ??= createEvaluator(
      this.layer,
      compileMatcher(this.tests, this.layer),
      this.usesProcess,
    );
    return this.#evaluate(packet, address);
  }

  /**
   * The filter as text, exactly as `WinDivertHelperFormatFilter` prints it; one of the extended dialect as text that
   * compiles to an equivalent filter again, together with the same named sets.
   *
   * @throws {@link DivertError} `insufficient-buffer` for an object whose text would exceed 1 MiB
   */
  format(): string {
    const format = this.dialect === 'extended' ? formatExtended : formatTests;
    return format(this.tests, this.layer);
  }
}
