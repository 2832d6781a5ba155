import { expect, test } from 'vitest';
import { Assembler } from '../../src/bpf/assembler.ts';
import {
  decodeInstructions,
  encodeInstructions,
  R0,
  R1,
  R2,
  R6,
  R10,
} from '../../src/bpf/instruction.ts';
import { formatListing } from '../../src/bpf/listing.ts';

type Write = (assembler: Assembler) => void;

function listing(write: Write): string[] {
  const assembler = new Assembler();
  write(assembler);
  return formatListing(assembler.assemble())
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

function hex(write: Write): string {
  const assembler = new Assembler();
  write(assembler);
  assembler.exit();
  const bytes = encodeInstructions(assembler.assemble().instructions);
  return Buffer.from(bytes).toString('hex', 0, bytes.length - 8);
}

// Bytes as RFC 9669 has them: opcode, registers, offset, immediate.
const ENCODED: readonly (readonly [text: string, bytes: string, write: Write])[] = [
  ['w0 = 5', 'b400000005000000', (a) => a.moveImmediate(R0, 5)],
  ['r6 = r1', 'bf16000000000000', (a) => a.move(R6, R1)],
  ['w1 += -8', '04010000f8ffffff', (a) => a.alu('ADD', R1, -8)],
  ['r1 += -8', '07010000f8ffffff', (a) => a.alu('ADD', R1, -8, 64)],
  ['w1 -= w2', '1c21000000000000', (a) => a.aluRegister('SUB', R1, R2)],
  ['r1 <<= 32', '6701000020000000', (a) => a.alu('LSH', R1, 32, 64)],
  ['r1 = be16 r1', 'dc01000010000000', (a) => a.swapBigEndian(R1, 16)],
  ['r1 = *(u8 *)(r10 - 40)', '71a1d8ff00000000', (a) => a.load('B', R1, R10, -40)],
  ['r0 = *(u64 *)(r1 + 8)', '7910080000000000', (a) => a.load('DW', R0, R1, 8)],
  ['*(u32 *)(r10 - 4) = r1', '631afcff00000000', (a) => a.store('W', R10, -4, R1)],
  ['*(u32 *)(r10 - 4) = -1', '620afcffffffffff', (a) => a.storeImmediate('W', R10, -4, -1)],
  ['r0 = *(u16 *)skb[22]', '2800000016000000', (a) => a.loadPacket('H', 22)],
  ['r0 = *(u8 *)skb[r2 - 1]', '50200000ffffffff', (a) => a.loadPacketIndexed('B', R2, -1)],
  [
    'r1 = 0x123456789 ll',
    '18010000896745230000000001000000',
    (a) => a.loadImmediate64(R1, 0x123456789n),
  ],
  [
    'r1 = 0xffffffffffffffff ll',
    '18010000ffffffff00000000ffffffff',
    (a) => a.loadImmediate64(R1, -1n),
  ],
  ['r1 = map fd 7', '18110000070000000000000000000000', (a) => a.loadMap(R1, 7)],
  ['call skb_load_bytes', '850000001a000000', (a) => a.call('skb_load_bytes')],
];

test.each(ENCODED)('%s', (text, bytes, write) => {
  expect(hex(write)).toBe(bytes);
  const lines = listing((assembler) => {
    write(assembler);
    assembler.exit();
  });
  expect(lines[0]).toBe(`0: ${text}`);
});

const CONDITIONS = {
  JEQ: '==',
  JNE: '!=',
  JLT: '<',
  JLE: '<=',
  JGT: '>',
  JGE: '>=',
  JSET: '&',
  JSLT: 's<',
  JSLE: 's<=',
  JSGT: 's>',
  JSGE: 's>=',
} as const;

test.each(Object.entries(CONDITIONS))('%s compares with %s', (name, sign) => {
  const condition = name as keyof typeof CONDITIONS;
  const lines = listing((assembler) => {
    const end = assembler.newLabel('end');
    assembler.jumpIf(condition, R1, 1, end);
    assembler.jumpIfRegister(condition, R1, R2, end);
    assembler.jumpIf64(condition, R1, -1, end);
    assembler.moveImmediate(R0, 0);
    assembler.label(end);
    assembler.exit();
  });
  expect(lines).toEqual([
    `0: if w1 ${sign} 1 goto end`,
    `1: if w1 ${sign} w2 goto end`,
    `2: if r1 ${sign} -1 goto end`,
    '3: w0 = 0',
    'end:',
    '4: exit',
  ]);
});

test('an immediate with its highest bit set compares as the number it is', () => {
  const lines = listing((assembler) => {
    const end = assembler.newLabel('end');
    assembler.jumpIf('JLT', R1, 0x80000001, end);
    assembler.moveImmediate(R0, 0);
    assembler.label(end);
    assembler.exit();
  });
  expect(lines[0]).toBe('0: if w1 < 2147483649 goto end');
});

test('a 64-bit load takes two slots, and jumps count both', () => {
  const assembler = new Assembler();
  const end = assembler.newLabel('end');
  assembler.jumpIf('JEQ', R1, 0, end);
  assembler.loadMap(R1, 3);
  assembler.label(end);
  assembler.exit();
  const { instructions, labels } = assembler.assemble();
  expect(instructions[0]?.offset).toBe(2);
  expect([...labels]).toEqual([[3, 'end']]);
});

test('a backward jump is a loop', () => {
  const lines = listing((assembler) => {
    const loop = assembler.newLabel('loop');
    assembler.moveImmediate(R0, 0);
    assembler.label(loop);
    assembler.alu('ADD', R0, 1);
    assembler.jumpIf('JLT', R0, 8, loop);
    assembler.exit();
  });
  expect(lines).toEqual(['0: w0 = 0', 'loop:', '1: w0 += 1', '2: if w0 < 8 goto loop', '3: exit']);
});

test('what cannot be reached, and jumps to the next instruction, are left out', () => {
  const lines = listing((assembler) => {
    const [a, b, end] = ['a', 'b', 'end'].map((name) => assembler.newLabel(name));
    assembler.jump(a!);
    assembler.label(b!);
    assembler.moveImmediate(R0, 1);
    assembler.label(a!);
    assembler.comment('kept');
    assembler.moveImmediate(R0, 2);
    assembler.jump(end!);
    assembler.moveImmediate(R0, 3);
    assembler.label(end!);
    assembler.exit();
  });
  expect(lines).toEqual([expect.stringMatching(/^0: w0 = 2 +; kept$/), '1: exit']);
});

test('a jump to a jump goes where that goes', () => {
  const lines = listing((assembler) => {
    const [hop, end] = ['hop', 'end'].map((name) => assembler.newLabel(name));
    assembler.jumpIf('JEQ', R1, 0, hop!);
    assembler.moveImmediate(R0, 1);
    assembler.exit();
    assembler.label(hop!);
    assembler.jump(end!);
    assembler.moveImmediate(R0, 2);
    assembler.label(end!);
    assembler.moveImmediate(R0, 3);
    assembler.exit();
  });
  expect(lines).toEqual([
    '0: if w1 == 0 goto end',
    '1: w0 = 1',
    '2: exit',
    'end:',
    '3: w0 = 3',
    '4: exit',
  ]);
});

test('a label that is placed twice or never is a RangeError', () => {
  const assembler = new Assembler();
  const label = assembler.newLabel('there');
  assembler.jump(label);
  expect(() => assembler.assemble()).toThrow('label there is not placed');
  assembler.label(label);
  expect(() => assembler.label(label)).toThrow('label there is placed twice');
});

test('a jump over more than 32,767 instructions is a RangeError', () => {
  const far = (count: number) => () => {
    const assembler = new Assembler();
    const end = assembler.newLabel('end');
    assembler.jumpIf('JEQ', R1, 0, end);
    for (let at = 0; at < count; at += 1) assembler.moveImmediate(R0, at);
    assembler.label(end);
    assembler.exit();
    return assembler.assemble();
  };
  expect(far(32_767)().instructions[0]?.offset).toBe(32_767);
  expect(far(32_768)).toThrow(RangeError);
});

test('decoding gives back what was encoded', () => {
  const assembler = new Assembler();
  for (const [, , write] of ENCODED) write(assembler);
  assembler.exit();
  const { instructions } = assembler.assemble();
  expect(decodeInstructions(encodeInstructions(instructions))).toEqual(instructions);
  expect(() => decodeInstructions(new Uint8Array(9))).toThrow(RangeError);
});

test('an opcode that does not exist is shown as its number', () => {
  const unknown = { opcode: 0xf7, destination: 1, source: 0, offset: 0, immediate: 0 };
  const text = formatListing({ instructions: [unknown], labels: new Map(), comments: new Map() });
  expect(text).toBe('    0: (0xf7)\n');
});
