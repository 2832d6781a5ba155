import { expect, test } from 'vitest';
import { exitCodeOf, UsageError } from '../../src/cli/exit-code.ts';
import { formatTable, plural } from '../../src/cli/output.ts';
import { CaptureError, DivertError, SystemError, UnsupportedError } from '../../src/errors.ts';

const EPERM = 1;
const EACCES = 13;
const ENOMEM = 12;

test.each([
  ['usage', new UsageError('x'), 2],
  ['a filter', new DivertError('bad-token', 'x'), 2],
  ['an option out of range', new DivertError('invalid-parameter', 'x'), 2],
  ['an object string', new DivertError('bad-object', 'x'), 2],
  ['a capture', new CaptureError(3, 'x'), 1],
  ['a missing capability', new UnsupportedError('CAP_BPF', 'x', { code: 'access-denied' }), 7],
  ['a missing feature', new UnsupportedError('nf_tables', 'x'), 1],
  ['EPERM', new SystemError('bpf', EPERM, 'x'), 7],
  ['EACCES', new SystemError('open', EACCES, 'x'), 7],
  ['ENOMEM', new SystemError('mmap', ENOMEM, 'x'), 1],
  ["Node's EACCES", Object.assign(new Error('x'), { code: 'EACCES' }), 7],
  ['anything else', new Error('x'), 1],
  ['what is no error', null, 1],
])('exit code of %s', (_name, error, code) => {
  expect(exitCodeOf(error)).toBe(code);
});

test('columns are as wide as their widest cell', () => {
  expect(
    formatTable([
      ['a', 'bb', 'c'],
      ['dddd', '', 'ee'],
      ['', 'f', ''],
    ]),
  ).toEqual(['a     bb  c', 'dddd      ee', '      f']);
});

test.each([
  [0, '0 packets'],
  [1, '1 packet'],
  [2, '2 packets'],
  [1n, '1 packet'],
])('%s of a noun', (count, expected) => {
  expect(plural(count, 'packet')).toBe(expected);
});
