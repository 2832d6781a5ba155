/** The eBPF back end as a filter engine: compile, load, and run over `BPF_PROG_TEST_RUN`. */

import { type BpfOptions, type BpfProgram, compileBpf } from '../../src/filter/emit-bpf.ts';
import type { Filter } from '../../src/filter/index.ts';
import { loadProgram, type Program } from '../../src/linux/bpf/program.ts';
import type { TestRunner } from '../../src/linux/bpf/test-run.ts';
import type { AddressInit } from '../../src/packet/address.ts';

/** Options that make a program know what an address says. */
export function optionsFor(layer: 'network' | 'forward', address: AddressInit): BpfOptions {
  return {
    layer,
    direction: address.outbound ? 'outbound' : 'inbound',
    loopback: Boolean(address.loopback),
    impostor: Boolean(address.impostor),
    family: address.ipv6 ? 6 : 4,
    interfaceIndex: address.interfaceIndex ?? address.ifIdx ?? 0,
    subInterfaceIndex: address.subInterfaceIndex ?? address.subIfIdx ?? 0,
    checksums: 'final',
  };
}

interface Loaded {
  readonly compiled: BpfProgram;
  readonly program: Program;
}

/** Loads the variants of one filter as they are needed. */
export class BpfFilter implements Disposable {
  readonly #filter: Filter;
  readonly #runner: TestRunner;
  readonly #variants = new Map<string, Loaded>();

  constructor(filter: Filter, runner: TestRunner) {
    this.#filter = filter;
    this.#runner = runner;
  }

  /** The program for a hook, loaded once. */
  variant(options: BpfOptions): Loaded {
    const key = JSON.stringify(options);
    const known = this.#variants.get(key);
    if (known !== undefined) return known;
    const compiled = compileBpf(this.#filter.tests, options);
    const program = loadProgram(compiled.instructions, { name: 'netdivert_test' });
    const loaded = { compiled, program };
    this.#variants.set(key, loaded);
    return loaded;
  }

  /** Whether the program of the address's hook lets a packet through. */
  matches(packet: Uint8Array, address: AddressInit): { matches: boolean; exact: boolean } {
    const layer = this.#filter.layer as 'network' | 'forward';
    const options = optionsFor(layer, address);
    const { compiled, program } = this.variant(options);
    const { result } = this.#runner.run(program.fd, packet, 'other');
    return { matches: result !== 0, exact: compiled.exactWithoutSegments };
  }

  [Symbol.dispose](): void {
    for (const { program } of this.#variants.values()) program.close();
    this.#variants.clear();
  }
}
