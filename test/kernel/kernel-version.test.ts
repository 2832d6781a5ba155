import { describe, expect, test } from 'vitest';
import { faultOfSkip, isOlder, since } from '../helpers/kernel-version.ts';

describe('which kernel is older', () => {
  test.each([
    ['6.1.0-56-amd64', '6.12', true],
    ['6.12.117', '6.12', false],
    ['6.18.44-custom-v595', '6.9', false],
    ['7.3.4+deb13-amd64', '6.17', false],
    ['5.15.0', '6.1', true],
  ])('%s, %s: %s', (running, version, expected) => {
    expect(isOlder(running, version)).toBe(expected);
  });
});

test('a test is left out by the version alone, with the reason', () => {
  const asked: unknown[] = [];
  const skip = ((...args: unknown[]) => void asked.push(args)) as Parameters<
    typeof since
  >[0]['skip'];
  since({ skip }, '99.0', 'something new');
  since({ skip }, '2.6', 'something old');
  expect(asked).toEqual([
    [true, 'Linux 99.0: something new'],
    [false, 'Linux 2.6: something old'],
  ]);
});

describe('what was left out is a fault', () => {
  test.each([
    ['on an older kernel: none', 'Linux 6.17: order', '6.12.1', null],
    ['on the kernel itself', 'Linux 6.17: order', '6.17.0', /has to hold from 6.17/],
    ['on a newer kernel', 'Linux 6.17: order', '7.3.4', /has to hold from 6.17/],
    ['without a reason', undefined, '6.1.0', /without a kernel version/],
    ['with another reason', 'no curl', '6.1.0', /without a kernel version/],
  ])('%s', (_, note, running, expected) => {
    const fault = faultOfSkip(note, running);
    if (expected === null) expect(fault).toBeNull();
    else expect(fault).toMatch(expected);
  });
});
