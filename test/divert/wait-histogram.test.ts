import { describe, expect, test } from 'vitest';
import { WaitHistogram } from '../../src/divert/wait-histogram.ts';

describe('wait histogram', () => {
  test('of nothing is zero', () => {
    expect(new WaitHistogram().read()).toEqual({ p50: 0, p99: 0, max: 0 });
  });

  test('percentiles are right to 9 %, the maximum is exact', () => {
    const histogram = new WaitHistogram();
    for (let wait = 1; wait <= 1000; wait++) histogram.add(wait / 10);
    const { p50, p99, max } = histogram.read();
    expect(p50 / 50).toBeGreaterThan(0.99);
    expect(p50 / 50).toBeLessThan(1.09);
    expect(p99 / 99).toBeGreaterThan(0.99);
    expect(p99 / 99).toBeLessThan(1.09);
    expect(max).toBe(100);
  });

  test('extremes have their place', () => {
    const histogram = new WaitHistogram();
    histogram.add(0);
    histogram.add(-1);
    histogram.add(1e9);
    histogram.add(1e9);
    expect(histogram.read().p50).toBe(0);
    expect(histogram.read().max).toBe(1e9);
  });
});
