import { expect, test } from 'vitest';
import { UnsupportedError } from '../../src/errors.ts';
import { checkPlatform } from '../../src/linux/platform.ts';

test.each(['x64', 'arm64', 'riscv64', 'loong64'])('%s is taken', (architecture) => {
  expect(() => checkPlatform(architecture, 'LE')).not.toThrow();
});

test('this machine is taken', () => {
  expect(() => checkPlatform()).not.toThrow();
});

test.each([
  ['s390x', 'BE', 'Handles need a little-endian machine; this one (s390x) is big-endian.'],
  ['arm64', 'BE', 'Handles need a little-endian machine; this one (arm64) is big-endian.'],
  ['ia32', 'LE', 'Handles need x64, arm64, riscv64, loong64; this machine is ia32.'],
  ['arm', 'LE', 'Handles need x64, arm64, riscv64, loong64; this machine is arm.'],
])('%s %s is refused', (architecture, byteOrder, message) => {
  expect(() => checkPlatform(architecture, byteOrder)).toThrow(UnsupportedError);
  expect(() => checkPlatform(architecture, byteOrder)).toThrow(message);
});
