/** What `netdivert doctor` says of the ways in which kernels differ is what their versions say. */
import { release } from 'node:os';
import { expect, test } from 'vitest';
import { checkFeatures } from '../../src/cli/doctor/features.ts';
import { isOlder } from '../helpers/kernel-version.ts';

const DIFFERENCES = [
  ['block-error', '5.18'],
  ['listen-process', '6.10'],
  ['unused-sockets', '6.15'],
  ['event-order', '6.17'],
] as const;

test('every difference has a line', () => {
  expect(checkFeatures().map(({ name }) => name)).toEqual(DIFFERENCES.map(([name]) => name));
});

test.each(DIFFERENCES)('%s is there from Linux %s on, and only from there', (name, version) => {
  const check = checkFeatures().find((line) => line.name === name);
  expect(check?.status).toBe(isOlder(release(), version) ? 'warn' : 'ok');
});
