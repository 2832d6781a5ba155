import { expect, test } from 'vitest';
import { DivertError } from '../../src/errors.ts';
import { describeError, restoreError } from '../../src/workers/messages.ts';

const rows: [string, unknown, object][] = [
  ['an error of the language', new TypeError('no'), { name: 'TypeError', message: 'no' }],
  [
    'one with a code',
    new DivertError('no-data', 'Shut.', { hint: 'Open it.' }),
    { name: 'DivertError', message: 'Shut.\nOpen it.', code: 'no-data' },
  ],
  ['a thrown text', 'just so', { name: 'Error', message: 'just so' }],
  ['a thrown nothing', undefined, { name: 'Error', message: 'undefined' }],
];

test.each(rows)('%s is the same in the other thread', (_name, error, expected) => {
  const restored = restoreError(structuredClone(describeError(error)));
  expect(restored).toBeInstanceOf(Error);
  expect(restored).toMatchObject(expected);
  if (error instanceof Error) expect(restored.stack).toBe(error.stack);
});
