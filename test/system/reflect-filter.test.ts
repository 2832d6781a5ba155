import { afterAll } from 'vitest';
import { compileFilter } from '../../src/filter/compile.ts';
import { ALL_FIELDS } from '../../src/filter/extended/fields.ts';
import { LAYER_BIT } from '../../src/filter/fields.ts';
import type { FilterTest } from '../../src/filter/graph.ts';
import { BpfMap } from '../../src/linux/bpf/map.ts';
import { RingBuffer } from '../../src/linux/bpf/ringbuf.ts';
import { EVENT_COUNTER } from '../../src/linux/events/counter.ts';
import { judgeRecord, loadPublishProgram } from '../../src/linux/registry/publish-program.ts';
import { createReflectResidual } from '../../src/linux/registry/reflect-residual.ts';
import { type FilterCase, testFilterEngine } from '../conformance/filter-engine.ts';
import { inputOf, recordOf } from '../helpers/event-record.ts';

const NAME = `ndivert_${process.pid}`;
const ring = new RingBuffer(NAME, 65_536);
const counters = new BpfMap({
  name: NAME,
  type: 'ARRAY',
  keyBytes: 4,
  valueBytes: EVENT_COUNTER.BYTES,
  maxEntries: 1,
});
afterAll(() => {
  ring.close();
  counters.close();
});

const hasForeignFields = (tests: readonly FilterTest[]): boolean =>
  tests.some(({ field }) => ((ALL_FIELDS[field]?.layers ?? 0) & LAYER_BIT.reflect) === 0);

function isForeign({ filter, layer, options }: FilterCase): boolean {
  try {
    return hasForeignFields(compileFilter(filter, layer, options).tests);
  } catch {
    // Refused before any engine sees it.
    return false;
  }
}

testFilterEngine(
  {
    name: 'the program that publishes handles, in the kernel, and the check behind it',
    layers: ['reflect'],
    prepare: (filter) => {
      const target = { ringFd: ring.fd, countersFd: counters.fd, generation: 1 };
      const program = loadPublishProgram(filter, target, NAME);
      const residual = program.exact ? () => true : createReflectResidual(filter);
      return {
        matches: (_, address) => {
          const record = recordOf(inputOf(address, 'reflect'), 'reflect');
          if (judgeRecord(program.fd, record)) return residual(new DataView(record.buffer));
          return hasForeignFields(filter.tests) ? 'unknown' : false;
        },
        close: () => program.close(),
      };
    },
  },
  [
    {
      reason: 'a program that reaches a field of another layer does not match and has no errors',
      kind: 'unknown',
      applies: isForeign,
    },
  ],
);
