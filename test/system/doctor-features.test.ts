/** What `netdivert doctor` says of the ways in which kernels differ is what their versions say. */
import { expect, test } from 'vitest';
import { checkFeatures } from '../../src/cli/doctor/features.ts';
import { since } from '../helpers/kernel-version.ts';

const DIFFERENCES = [
  ['block-error', '5.18'],
  ['listen-process', '6.16'],
  ['unused-sockets', '6.15'],
  ['event-order', '6.17'],
] as const;

test('every difference has a line', () => {
  expect(checkFeatures().map(({ name }) => name)).toEqual(DIFFERENCES.map(([name]) => name));
});

// Kernels of distributions may have it earlier: order is in Debian's 6.12.117.
test.for(DIFFERENCES)('%s is there from Linux %s on', ([name, version], context) => {
  since(context, version, `what doctor calls ${name}`);
  expect(checkFeatures().find((line) => line.name === name)?.status).toBe('ok');
});
