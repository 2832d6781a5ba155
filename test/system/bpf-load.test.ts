import { expect, test } from 'vitest';
import { Assembler } from '../../src/bpf/assembler.ts';
import { R0, R1, R2, R6, R10 } from '../../src/bpf/instruction.ts';
import { UnsupportedError, VerifierError } from '../../src/errors.ts';
import { bpfError } from '../../src/linux/bpf/call.ts';
import { BpfMap } from '../../src/linux/bpf/map.ts';
import { loadProgram } from '../../src/linux/bpf/program.ts';
import { TestRunner } from '../../src/linux/bpf/test-run.ts';
import { withoutCapabilities } from '../helpers/without-capabilities.ts';

const bytes = (value: number, length = 4): Uint8Array => {
  const memory = new Uint8Array(8);
  new DataView(memory.buffer).setUint32(0, value, true);
  return memory.subarray(0, length);
};

function assemble(write: (assembler: Assembler) => void) {
  const assembler = new Assembler();
  write(assembler);
  return assembler.assemble().instructions;
}

test('a program that never sets its result is refused with the reason and the place', () => {
  const instructions = assemble((assembler) => assembler.exit());
  const load = () => loadProgram(instructions, { name: 'no_result' });
  expect(load).toThrow(VerifierError);
  expect(load).toThrow(
    'The kernel refused program no_result: R0 !read_ok (at 0: (95) exit) (EACCES: permission denied)',
  );
  try {
    load();
  } catch (error) {
    expect((error as VerifierError).log.length).toBeGreaterThan(1);
  }
});

test('without CAP_PERFMON a refusal names it, as that may be why', () => {
  const instructions = assemble((assembler) => assembler.exit());
  const load = () => loadProgram(instructions, { name: 'no_result' });
  let error: unknown;
  try {
    withoutCapabilities(['CAP_PERFMON', 'CAP_SYS_ADMIN'], load);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(UnsupportedError);
  expect(error).toMatchObject({ feature: 'CAP_PERFMON', code: 'access-denied' });
  expect((error as Error).message).toContain('R0 !read_ok');
  expect((error as Error).cause).toBeInstanceOf(VerifierError);
});

test('a name that the kernel would refuse is a RangeError', () => {
  const instructions = assemble((assembler) => {
    assembler.moveImmediate(R0, 0);
    assembler.exit();
  });
  for (const name of ['sixteen_letters_', 'with space', 'minus-']) {
    expect(() => loadProgram(instructions, { name })).toThrow(RangeError);
  }
});

test('a program reads mark, interface and segment size of its context', () => {
  const fields = { mark: 8, ingressInterfaceIndex: 36, gsoSize: 176 } as const;
  const runner = new TestRunner();
  for (const [key, offset] of Object.entries(fields)) {
    const instructions = assemble((assembler) => {
      assembler.load('W', R0, R1, offset);
      assembler.exit();
    });
    using program = loadProgram(instructions, { name: 'context' });
    const context = { [key]: 1234 };
    expect(runner.run(program.fd, new Uint8Array(60), 'other', context).result).toBe(1234);
  }
});

test('what a test run hands over: the packet from its IP header on, and its Ethernet type', () => {
  const runner = new TestRunner();
  const packet = Uint8Array.from({ length: 60 }, (_, index) => index + 1);
  const first = assemble((assembler) => {
    assembler.move(R6, R1);
    assembler.loadPacket('W', 0);
    assembler.exit();
  });
  const length = assemble((assembler) => {
    assembler.load('W', R0, R1, 0);
    assembler.exit();
  });
  const protocol = assemble((assembler) => {
    assembler.load('W', R0, R1, 16);
    assembler.swapBigEndian(R0, 16);
    assembler.exit();
  });
  const run = (instructions: typeof first, bytesOf: Uint8Array, version: 4 | 6 | 'other') => {
    using program = loadProgram(instructions, { name: 'handed_over' });
    return runner.run(program.fd, bytesOf, version).result;
  };
  expect(run(first, packet, 4)).toBe(0x01020304);
  expect(run(length, packet, 4)).toBe(60);
  expect([run(protocol, packet, 4), run(protocol, packet, 6)]).toEqual([0x0800, 0x86dd]);
  expect(run(length, packet.subarray(0, 0), 'other')).toBe(0);
  expect(run(length, packet.subarray(0, 1), 'other')).toBe(1);
});

test('entries of a hash map are set, found, changed and deleted', () => {
  using map = new BpfMap({ name: 'hash', type: 'HASH', keyBytes: 4, valueBytes: 8, maxEntries: 2 });
  expect(map.lookup(bytes(1))).toBeNull();
  map.update(bytes(1), bytes(10, 8));
  map.update(bytes(1), bytes(11, 8));
  expect(map.lookup(bytes(1))).toEqual(bytes(11, 8));
  expect(map.delete(bytes(1))).toBe(true);
  expect(map.delete(bytes(1))).toBe(false);
  map.update(bytes(1), bytes(1, 8));
  map.update(bytes(2), bytes(2, 8));
  expect(() => map.update(bytes(3), bytes(3, 8))).toThrow(/E2BIG/);
});

test('a program counts in an array map', () => {
  using map = new BpfMap({
    name: 'count',
    type: 'ARRAY',
    keyBytes: 4,
    valueBytes: 8,
    maxEntries: 1,
  });
  const instructions = assemble((assembler) => {
    const none = assembler.newLabel('none');
    assembler.storeImmediate('W', R10, -4, 0);
    assembler.loadMap(R1, map.fd);
    assembler.move(R2, R10);
    assembler.alu('ADD', R2, -4, 64);
    assembler.call('map_lookup_elem');
    assembler.jumpIf64('JEQ', R0, 0, none);
    assembler.load('DW', R1, R0, 0);
    assembler.alu('ADD', R1, 1, 64);
    assembler.store('DW', R0, 0, R1);
    assembler.label(none);
    assembler.moveImmediate(R0, 0);
    assembler.exit();
  });
  using program = loadProgram(instructions, { name: 'counter' });
  new TestRunner().run(program.fd, new Uint8Array(60), 'other', {}, 5);
  expect(map.lookup(bytes(0))).toEqual(bytes(5, 8));
});

test('a ring buffer is created', () => {
  using map = new BpfMap({
    name: 'ring',
    type: 'RINGBUF',
    keyBytes: 0,
    valueBytes: 0,
    maxEntries: 4096,
  });
  expect(map.fd).toBeGreaterThan(2);
});

test('a refusal for want of capabilities names the one and what to do', () => {
  const error = bpfError('BPF_PROG_LOAD', 1, 'load program filter');
  expect(error).toBeInstanceOf(UnsupportedError);
  expect(error).toMatchObject({ code: 'access-denied', feature: 'CAP_BPF' });
  expect(error.message).toMatch(
    /^Cannot load program filter: EPERM: operation not permitted\nRun with CAP_BPF and CAP_NET_ADMIN/,
  );
});
