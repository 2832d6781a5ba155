/** The event layers' eBPF back end as a filter engine: the packet is a record. */

import { Assembler } from '../../src/bpf/assembler.ts';
import type { Instruction } from '../../src/bpf/instruction.ts';
import { R0, R2, R3, R4, R7, R10 } from '../../src/bpf/instruction.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import {
  type EmittedFilter,
  type EventFilterOptions,
  type EventLayer,
  emitEventFilter,
} from '../../src/filter/emit-event-bpf.ts';
import { ALL_FIELDS } from '../../src/filter/extended/fields.ts';
import { kernelSets } from '../../src/filter/extended/properties.ts';
import { LAYER_BIT } from '../../src/filter/fields.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import { SOCKET_EVENT } from '../../src/packet/event-layout.ts';
import type { Exemption, FilterCase, FilterEngine } from '../conformance/filter-engine.ts';
import type { BpfHost, SetHost } from './bpf-engine.ts';
import { inputOf, recordOf } from './event-record.ts';

export interface EventProgram extends EmittedFilter {
  readonly instructions: readonly Instruction[];
}

/** A socket filter that takes the packet for a record and says whether the filter matches it. */
export function compileEventProgram(
  tests: readonly FilterTest[],
  layer: EventLayer,
  options: Pick<EventFilterOptions, 'facts' | 'localUnknown' | 'sets'> = {},
): EventProgram {
  const assembler = new Assembler();
  const accept = assembler.newLabel('match');
  const reject = assembler.newLabel('no_match');
  assembler.moveImmediate(R2, 0);
  assembler.move(R3, R10);
  assembler.alu('ADD', R3, -SOCKET_EVENT.BYTES, 64);
  assembler.move(R7, R3);
  assembler.moveImmediate(R4, SOCKET_EVENT.BYTES);
  assembler.call('skb_load_bytes');
  assembler.jumpIf('JNE', R0, 0, reject);
  const emitted = emitEventFilter(assembler, tests, layer, {
    ...options,
    record: R7,
    accept,
    reject,
  });
  assembler.label(accept);
  assembler.moveImmediate(R0, 1);
  assembler.exit();
  assembler.label(reject);
  assembler.moveImmediate(R0, 0);
  assembler.exit();
  return { ...assembler.assemble(), ...emitted };
}

/**
 * The engine on a host; {@link EVENT_EXEMPTIONS} go with it.
 *
 * @param setHost where there are maps of sets; without, {@link SET_EXEMPTION} goes with it too
 */
export function createEventEngine(name: string, host: BpfHost, setHost?: SetHost): FilterEngine {
  return {
    name,
    layers: ['flow', 'socket', 'reflect'],
    prepare: ({ tests, layer: anyLayer }) => {
      const layer = anyLayer as EventLayer;
      const sets = setHost?.(kernelSets(tests));
      const { instructions, exact } = compileEventProgram(
        tests,
        layer,
        sets && { sets: sets.maps },
      );
      const program = host(instructions);
      return {
        matches: (packet, address) => {
          if (packet !== null && layer !== 'reflect') return 'invalid-parameter';
          if (program.run(recordOf(inputOf(address, layer), layer)) !== 0) {
            return exact ? true : 'unknown';
          }
          return hasForeignFields(tests, layer) ? 'unknown' : false;
        },
        close: () => {
          program.close();
          sets?.close();
        },
      };
    },
  };
}

function hasForeignFields(tests: readonly FilterTest[], layer: EventLayer): boolean {
  return tests.some(({ field }) => ((ALL_FIELDS[field]?.layers ?? 0) & LAYER_BIT[layer]) === 0);
}

function testsOf({ filter, layer, options }: FilterCase): readonly FilterTest[] {
  try {
    return compileFilter(filter, layer, options).tests;
  } catch {
    // Refused before any engine sees it.
    return [];
  }
}

/** What programs without maps of sets do not answer. */
export const SET_EXEMPTION: Exemption = {
  reason: 'a set that is named or large is in maps, which only the kernel has',
  kind: 'unknown',
  applies: (filterCase) => kernelSets(testsOf(filterCase)).length > 0,
};

/** What programs do not answer. */
export const EVENT_EXEMPTIONS: readonly Exemption[] = [
  {
    reason: 'a program that reaches a field of another layer does not match and has no errors',
    kind: 'unknown',
    applies: (filterCase) => hasForeignFields(testsOf(filterCase), filterCase.layer as EventLayer),
  },
];
