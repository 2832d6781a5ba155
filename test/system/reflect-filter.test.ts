import { afterAll } from 'vitest';
import { fieldOnLayer } from '../../src/filter/fields.ts';
import { BpfMap } from '../../src/linux/bpf/map.ts';
import { RingBuffer } from '../../src/linux/bpf/ringbuf.ts';
import { EVENT_COUNTER } from '../../src/linux/events/counter.ts';
import { judgeRecord, loadPublishProgram } from '../../src/linux/registry/publish-program.ts';
import { testFilterEngine } from '../conformance/filter-engine.ts';
import { EVENT_EXEMPTIONS } from '../helpers/event-engine.ts';
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

testFilterEngine(
  {
    name: 'the program that publishes handles, in the kernel',
    layers: ['reflect'],
    prepare: (filter) => {
      const target = { ringFd: ring.fd, countersFd: counters.fd };
      const program = loadPublishProgram(filter, target, NAME);
      const isForeign = filter.tests.some(({ field }) => !fieldOnLayer(field, 'reflect'));
      return {
        matches: (_, address) => {
          const record = recordOf(inputOf(address, 'reflect'), 'reflect');
          if (judgeRecord(program.fd, record)) return true;
          return isForeign ? 'unknown' : false;
        },
        close: () => program.close(),
      };
    },
  },
  EVENT_EXEMPTIONS,
);
