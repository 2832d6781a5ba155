import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Chance } from '../../src/recipes/shape/chance.ts';
import { type Due, DueQueue } from '../../src/recipes/shape/due-queue.ts';
import { type Impairment, resolveImpairment } from '../../src/recipes/shape/impairment.ts';
import { type Decision, Link } from '../../src/recipes/shape/link.ts';

const SEED = 20_261;

const linkWith = (impairment: Impairment, seed = SEED): Link =>
  new Link(resolveImpairment(impairment, 'outbound'), seed);

/** Decisions about packets of 1000 bytes, one every `intervalMs`. */
function decide(link: Link, count: number, intervalMs = 1): Decision[] {
  return Array.from({ length: count }, (_, index) => ({
    ...link.decide(1000, index * intervalMs, true),
  }));
}

/** How far a count of `packets` may be from the mean: 4 standard deviations of a binomial one. */
function expectBinomial(count: number, packets: number, chance: number): void {
  const deviation = Math.sqrt(packets * chance * (1 - chance));
  expect(Math.abs(count - packets * chance)).toBeLessThan(4 * deviation);
}

test('without settings everything leaves at once', () => {
  const decisions = decide(linkWith({}), 100);
  expect(decisions.map(({ fate, dueMs }) => [fate, dueMs])).toEqual(
    decisions.map((_, index) => ['send', index]),
  );
});

describe('chances', () => {
  const PACKETS = 100_000;
  test.each([
    ['loss', 'lost'],
    ['duplicate', 'duplicated'],
    ['reorder', 'reordered'],
    ['corrupt', 'corrupted'],
    ['reset', 'reset'],
  ] as const)('%s: as often as said, and nothing else', (setting, counter) => {
    for (const chance of [0.001, 0.05, 0.5]) {
      const link = linkWith({ [setting]: chance });
      decide(link, PACKETS);
      expectBinomial(link.stats[counter], PACKETS, chance);
      const { packets, lost, reset, duplicated, reordered, corrupted } = link.stats;
      expect(packets).toBe(PACKETS);
      expect(lost + reset + duplicated + reordered + corrupted).toBe(link.stats[counter]);
    }
  });

  test.each(['loss', 'duplicate', 'reorder', 'corrupt', 'reset'] as const)(
    '%s: 0 is never, 1 is always',
    (setting) => {
      const always = linkWith({ [setting]: 1 });
      decide(always, 1000);
      const { lost, duplicated, reordered, corrupted, reset } = always.stats;
      expect(lost + duplicated + reordered + corrupted + reset).toBe(1000);
      const never = linkWith({ [setting]: 0 });
      expect(decide(never, 1000).every(({ fate }) => fate === 'send')).toBe(true);
    },
  );

  test('they do not depend on each other', () => {
    const link = linkWith({ loss: 0.3, duplicate: 0.3 });
    decide(link, PACKETS);
    expectBinomial(link.stats.duplicated, PACKETS, 0.7 * 0.3);
  });

  test('only TCP is reset', () => {
    const link = linkWith({ reset: 1 });
    expect(link.decide(1000, 0, false).fate).toBe('send');
    expect(link.decide(1000, 0, true).fate).toBe('reset');
  });

  test('one loss does not tell the next', () => {
    const decisions = decide(linkWith({ loss: 0.5 }), PACKETS);
    const pairs = decisions.filter(
      ({ fate }, index) => fate === 'lose' && decisions[index + 1]?.fate === 'lose',
    );
    expectBinomial(pairs.length, PACKETS - 1, 0.25);
  });
});

describe('the seed', () => {
  const everything: Impairment = {
    latencyMs: 20,
    jitterMs: 10,
    loss: 0.1,
    duplicate: 0.1,
    reorder: 0.1,
    corrupt: 0.1,
    reset: 0.1,
  };
  test('the same gives the same, another gives others', () => {
    const [one, same, other] = [SEED, SEED, SEED + 1].map((seed) =>
      decide(linkWith(everything, seed), 500),
    );
    expect(same).toEqual(one);
    expect(other).not.toEqual(one);
  });

  test('what is lost does not change with other settings, lengths and times', () => {
    const lost = (decisions: Decision[]) => decisions.map(({ fate }) => fate === 'lose');
    const one = lost(decide(linkWith({ loss: 0.1 }), 500));
    expect(lost(decide(linkWith({ loss: 0.1, duplicate: 0.5, latencyMs: 9 }), 500, 17))).toEqual(
      one,
    );
  });

  test('of numbers, a byte is as often one value as another', () => {
    const chance = new Chance(SEED);
    const counts = new Array<number>(256).fill(0);
    for (let draw = 0; draw < 256_000; draw++) {
      const byte = chance.bits() >>> 24;
      counts[byte] = (counts[byte] ?? 0) + 1;
    }
    for (const count of counts) expectBinomial(count, 256_000, 1 / 256);
  });
});

describe('delays', () => {
  test('latency is exact', () => {
    const dues = decide(linkWith({ latencyMs: 100 }), 50, 3).map(({ dueMs }) => dueMs);
    expect(dues).toEqual(Array.from({ length: 50 }, (_, index) => 100 + index * 3));
  });

  test('jitter stays within its bounds, around the latency', () => {
    // So far apart that none waits for the one before it.
    const delays = decide(linkWith({ latencyMs: 100, jitterMs: 30 }), 20_000, 1000).map(
      ({ dueMs }, index) => dueMs - index * 1000,
    );
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(70);
    expect(Math.max(...delays)).toBeLessThan(130);
    const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
    // Evenly distributed over 60 ms: a standard deviation of 17.3 ms.
    expect(Math.abs(mean - 100)).toBeLessThan((4 * 17.3) / Math.sqrt(delays.length));
  });

  test('jitter larger than the latency is cut off at none', () => {
    const decisions = decide(linkWith({ latencyMs: 5, jitterMs: 50 }), 1000, 1000);
    for (const [index, { dueMs }] of decisions.entries()) {
      expect(dueMs).toBeGreaterThanOrEqual(index * 1000);
    }
  });

  test('jitter keeps the order', () => {
    const dues = decide(linkWith({ latencyMs: 100, jitterMs: 90 }), 5000).map(({ dueMs }) => dueMs);
    for (let index = 1; index < dues.length; index++) {
      expect(dues[index]).toBeGreaterThanOrEqual(dues[index - 1] ?? 0);
    }
  });

  test('a reordered packet is overtaken, the others are not', () => {
    const decisions = decide(linkWith({ latencyMs: 10, reorder: 0.1, reorderMs: 5 }), 2000);
    for (const [index, { dueMs, isReordered }] of decisions.entries()) {
      expect(dueMs).toBe(index + 10 + (isReordered ? 5 : 0));
    }
  });
});

describe('the rate', () => {
  test('packets leave at it, behind the burst', () => {
    // 1000 bytes take 8 ms.
    const link = linkWith({ rateBitsPerSecond: 1_000_000, burstBytes: 2000, queueBytes: 1e6 });
    const dues = Array.from({ length: 6 }, () => link.decide(1000, 0, false).dueMs);
    expect(dues).toEqual([0, 0, 8, 16, 24, 32]);
    // At 100 ms the queue is empty since 68 ms, and the bucket full again.
    expect([100, 100, 100].map((nowMs) => link.decide(1000, nowMs, false).dueMs)).toEqual([
      100, 100, 108,
    ]);
  });

  test('over time it is what was said', () => {
    const link = linkWith({ rateBitsPerSecond: 800_000, queueBytes: 20_000, burstBytes: 1500 });
    // 10 Mbit/s for 10 s.
    const decisions = decide(link, 12_500, 0.8);
    const sent = decisions.filter(({ fate }) => fate === 'send');
    expect(sent.length * 1000).toBeGreaterThan(100_000 * 10 + 20_000 - 2000);
    expect(sent.length * 1000).toBeLessThanOrEqual(100_000 * 10 + 20_000 + 1500);
    expect(link.stats.rateDropped).toBe(12_500 - sent.length);
    const longest = Math.max(
      ...decisions.map(({ dueMs, fate }, index) => (fate === 'send' ? dueMs - index * 0.8 : 0)),
    );
    expect(longest).toBeLessThanOrEqual(200);
  });

  test('latency comes on top', () => {
    const link = linkWith({ rateBitsPerSecond: 1_000_000, burstBytes: 1000, latencyMs: 50 });
    expect([0, 0].map((nowMs) => link.decide(1000, nowMs, false).dueMs)).toEqual([50, 58]);
  });

  test('a packet larger than the burst goes, too', () => {
    const link = linkWith({ rateBitsPerSecond: 1_000_000, burstBytes: 500 });
    expect(link.decide(1500, 0, false)).toMatchObject({ fate: 'send', dueMs: 8 });
  });
});

test('only so many packets are delayed at a time', () => {
  const link = linkWith({ latencyMs: 100, queuePackets: 3 });
  link.stats.waiting = 3;
  expect(link.decide(1000, 0, false).fate).toBe('full');
  link.stats.waiting = 2;
  expect(link.decide(1000, 0, false).fate).toBe('send');
  expect(link.stats.overflow).toBe(1);
});

test('the queue gives items in the order of their times, and of their arrival', () => {
  interface Item extends Due {
    readonly name: number;
  }
  const action = fc.oneof(fc.nat(9), fc.constant('shift' as const));
  fc.assert(
    fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
      const queue = new DueQueue<Item>();
      const model: Item[] = [];
      for (const [name, next] of actions.entries()) {
        if (next === 'shift') {
          model.sort((one, other) => one.dueMs - other.dueMs || one.name - other.name);
          expect(queue.first()?.name).toBe(model[0]?.name);
          expect(queue.shift()?.name).toBe(model.shift()?.name);
        } else {
          const item = { dueMs: next, serial: 0, name };
          queue.push(item);
          model.push(item);
        }
        expect(queue.length).toBe(model.length);
      }
    }),
  );
});

test.each([
  [{ loss: 5 }, 'outbound.loss is 5', 'from 0 to 1'],
  [{ latencyMs: -1 }, 'outbound.latencyMs is -1', 'from 0'],
  [{ latencyMs: Number.NaN }, 'NaN', 'a number'],
  [{ rateBitsPerSecond: 0 }, 'rateBitsPerSecond is 0', 'from 1'],
  [{ delay: 5 }, 'no setting outbound.delay', 'latencyMs, jitterMs'],
])('%j is refused', (settings, message, hint) => {
  const refused = expect.objectContaining({
    code: 'invalid-parameter',
    message: expect.stringContaining(message),
    hint: expect.stringContaining(hint),
  });
  expect(() => resolveImpairment(settings as Impairment, 'outbound')).toThrow(refused);
});
