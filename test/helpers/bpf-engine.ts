/** The eBPF back end as a filter engine: compile, load, and run over `BPF_PROG_TEST_RUN`. */

import { type BpfOptions, type BpfProgram, compileBpf } from '../../src/filter/emit-bpf.ts';
import { FIELD, FIELDS, LAYER_BIT } from '../../src/filter/fields.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import { loadProgram, type Program } from '../../src/linux/bpf/program.ts';
import { TestRunner } from '../../src/linux/bpf/test-run.ts';
import type { AddressInit } from '../../src/packet/address.ts';
import { PacketScan, scanPacket } from '../../src/packet/layout.ts';
import type { FilterEngine, PreparedFilter, Verdict } from '../conformance/filter-engine.ts';

type PacketLayer = 'network' | 'forward';

/** Options that make a program know what an address says. */
export function optionsFor(layer: PacketLayer, address: AddressInit): BpfOptions {
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

/** Whether a filter has fields that its layer does not have: reaching one is an error, here no match. */
export function hasForeignFields(tests: readonly FilterTest[], layer: PacketLayer): boolean {
  return tests.some(({ field }) => ((FIELDS[field]?.layers ?? 0) & LAYER_BIT[layer]) === 0);
}

interface Variant {
  readonly compiled: BpfProgram;
  readonly program: Program;
}

class PreparedBpf implements PreparedFilter {
  readonly #tests: readonly FilterTest[];
  readonly #layer: PacketLayer;
  readonly #runner: TestRunner;
  readonly #variants = new Map<string, Variant>();
  readonly #scan = new PacketScan();

  constructor(tests: readonly FilterTest[], layer: PacketLayer, runner: TestRunner) {
    this.#tests = tests;
    this.#layer = layer;
    this.#runner = runner;
  }

  matches(packet: Uint8Array | null, address: AddressInit): Verdict {
    if (packet === null) return 'invalid-parameter';
    // What a hook gets is never an event.
    if (Number(address.event ?? 0) !== 0 && this.#has(FIELD.event)) return 'unknown';
    const { compiled, program } = this.#variant(optionsFor(this.#layer, address));
    const { result } = this.#runner.run(program.fd, packet, 'other');
    if (result !== 0) return compiled.exactWithoutSegments ? true : 'unknown';
    // A program has one way to say no: what is no packet does not match.
    const isPacket = scanPacket(packet, 0, packet.length, this.#scan);
    if (!isPacket || this.#scan.version !== (address.ipv6 ? 6 : 4)) return 'invalid-parameter';
    return hasForeignFields(this.#tests, this.#layer) ? 'unknown' : false;
  }

  close(): void {
    for (const { program } of this.#variants.values()) program.close();
    this.#variants.clear();
  }

  #has(field: number): boolean {
    return this.#tests.some((test) => test.field === field);
  }

  #variant(options: BpfOptions): Variant {
    const key = JSON.stringify(options);
    const known = this.#variants.get(key);
    if (known !== undefined) return known;
    const compiled = compileBpf(this.#tests, options);
    const program = loadProgram(compiled.instructions, { name: 'netdivert_test' });
    const variant = { compiled, program };
    this.#variants.set(key, variant);
    return variant;
  }
}

/** Needs a kernel and the capabilities to load programs. */
export function createBpfEngine(): FilterEngine {
  const runner = new TestRunner();
  return {
    name: 'eBPF',
    layers: ['network', 'forward'],
    prepare: ({ tests, layer }) => new PreparedBpf(tests, layer as PacketLayer, runner),
  };
}
