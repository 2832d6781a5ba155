/** The eBPF back end as a filter engine, on a machine or on the kernel. */

import type { Instruction } from '../../src/bpf/instruction.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import {
  type BpfOptions,
  type BpfProgram,
  compileBpf,
  MAX_EXTENSION_HEADERS,
  type SetMaps,
} from '../../src/filter/emit-bpf.ts';
import { ALL_FIELDS } from '../../src/filter/extended/fields.ts';
import type { FilterSet } from '../../src/filter/extended/filter-set.ts';
import { kernelSets } from '../../src/filter/extended/properties.ts';
import { FIELD, LAYER_BIT } from '../../src/filter/fields.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import type { AddressInit } from '../../src/packet/address.ts';
import { IPPROTO, PacketScan, scanPacket } from '../../src/packet/layout.ts';
import type {
  Exemption,
  FilterCase,
  FilterEngine,
  PreparedFilter,
  Verdict,
} from '../conformance/filter-engine.ts';
import { fixedProcess } from './process-lookup.ts';

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
    // Both forms take part, so that neither is left out.
    speculation: Boolean(address.loopback),
    process: fixedProcess(address),
  };
}

/** Whether a filter has fields that its layer does not have: reaching one is an error, here no match. */
export function hasForeignFields(tests: readonly FilterTest[], layer: PacketLayer): boolean {
  return tests.some(({ field }) => ((ALL_FIELDS[field]?.layers ?? 0) & LAYER_BIT[layer]) === 0);
}

const IPV6_HEADER_BYTES = 40;
const IPV6_NEXT_HEADER = 6;
const headers = new PacketScan();

/** Whether a packet has as many extension headers as a program follows, or more: it may match then. */
export function mayBeTooDeep(packet: Uint8Array): boolean {
  if (!scanPacket(packet, 0, packet.length, headers) || headers.version !== 6) return false;
  let count = 0;
  let protocol = packet[IPV6_NEXT_HEADER];
  for (let at = IPV6_HEADER_BYTES; at < headers.headersEnd; count++) {
    const length = packet[at + 1] ?? 0;
    const bytes = protocol === IPPROTO.AH ? (length + 2) * 4 : (length + 1) * 8;
    const isFragment = protocol === IPPROTO.FRAGMENT;
    protocol = packet[at];
    at += isFragment ? 8 : bytes;
  }
  return count >= MAX_EXTENSION_HEADERS;
}

/** A program that can be run. */
export interface RunnableProgram {
  /** @returns what the program returns for a packet */
  run(packet: Uint8Array): number;
  close(): void;
}

/** Something that runs programs. */
export type BpfHost = (instructions: readonly Instruction[]) => RunnableProgram;

/** Maps of sets, where there is a kernel to have them. */
export interface HostSets {
  readonly maps: ReadonlyMap<FilterSet, SetMaps>;
  close(): void;
}

export type SetHost = (sets: readonly FilterSet[]) => HostSets;

interface Variant {
  readonly compiled: BpfProgram;
  readonly program: RunnableProgram;
}

class PreparedBpf implements PreparedFilter {
  readonly #tests: readonly FilterTest[];
  readonly #layer: PacketLayer;
  readonly #host: BpfHost;
  readonly #variants = new Map<string, Variant>();
  readonly #sets: HostSets | undefined;
  readonly #scan = new PacketScan();

  constructor(
    tests: readonly FilterTest[],
    layer: PacketLayer,
    host: BpfHost,
    setHost: SetHost | undefined,
  ) {
    this.#sets = setHost?.(kernelSets(tests));
    this.#tests = tests;
    this.#layer = layer;
    this.#host = host;
  }

  matches(packet: Uint8Array | null, address: AddressInit): Verdict {
    if (packet === null) return 'invalid-parameter';
    // What a hook gets is never an event.
    if (Number(address.event ?? 0) !== 0 && this.#has(FIELD.event)) return 'unknown';
    const { compiled, program } = this.#variant(address);
    if (program.run(packet) !== 0) {
      return compiled.exactWithoutSegments && !mayBeTooDeep(packet) ? true : 'unknown';
    }
    // A program has one way to say no: what is no packet does not match.
    const isPacket = scanPacket(packet, 0, packet.length, this.#scan);
    if (!isPacket || this.#scan.version !== (address.ipv6 ? 6 : 4)) return 'invalid-parameter';
    return hasForeignFields(this.#tests, this.#layer) ? 'unknown' : false;
  }

  close(): void {
    for (const { program } of this.#variants.values()) program.close();
    this.#variants.clear();
    this.#sets?.close();
  }

  #has(field: number): boolean {
    return this.#tests.some((test) => test.field === field);
  }

  #variant(address: AddressInit): Variant {
    const sets = this.#sets?.maps ?? new Map<FilterSet, SetMaps>();
    const options = { ...optionsFor(this.#layer, address), sets };
    const { processId, userId, processName } = address;
    const key = JSON.stringify([options, processId, userId, processName]);
    const known = this.#variants.get(key);
    if (known !== undefined) return known;
    const compiled = compileBpf(this.#tests, options);
    const program = this.#host(compiled.instructions);
    const variant = { compiled, program };
    this.#variants.set(key, variant);
    return variant;
  }
}

/** The engine on a host; the exemptions that go with it are {@link BPF_EXEMPTIONS}. */
export function createBpfEngine(name: string, host: BpfHost, setHost?: SetHost): FilterEngine {
  return {
    name,
    layers: ['network', 'forward'],
    prepare: ({ tests, layer }) => new PreparedBpf(tests, layer as PacketLayer, host, setHost),
  };
}

const NEVER_KNOWN: ReadonlySet<number> = new Set([
  FIELD.timestamp,
  FIELD.random8,
  FIELD.random16,
  FIELD.random32,
]);

function testsOf({ filter, layer, options }: FilterCase): readonly FilterTest[] {
  try {
    return compileFilter(filter, layer, options).tests;
  } catch {
    // Refused before any engine sees it.
    return [];
  }
}

/** What programs do not answer without maps. */
export const BPF_SET_EXEMPTION: Exemption = {
  reason: 'a set that is named or large is in maps',
  kind: 'unknown',
  applies: (filterCase) => kernelSets(testsOf(filterCase)).length > 0,
};

/** What programs do not answer. */
export const BPF_EXEMPTIONS: readonly Exemption[] = [
  {
    reason: 'a program cannot know the time stamp that its packet will get, nor its hash with it',
    kind: 'unknown',
    applies: (filterCase) => testsOf(filterCase).some(({ field }) => NEVER_KNOWN.has(field)),
  },
  {
    reason: 'a program that reaches a field of another layer does not match and has no errors',
    kind: 'unknown',
    applies: (filterCase) => hasForeignFields(testsOf(filterCase), filterCase.layer as PacketLayer),
  },
];
