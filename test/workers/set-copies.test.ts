import { expect, test } from 'vitest';
import { FilterSet } from '../../src/filter/index.ts';
import { copiedSets, follow, SetCopies } from '../../src/workers/set-copies.ts';
import { Random } from '../helpers/random.ts';

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const sorted = (set: FilterSet | undefined): string[] => [...(set ?? [])].map(String).sort();

/** A member of any kind, of few that there are. */
function randomMember(random: Random): string | number {
  const last = random.below(200);
  return random.pick([
    last,
    `10.0.${random.below(40)}.${last}`,
    `10.${last}.0.0/16`,
    `2001:db8::${last}`,
    `2001:db8:${last}::/48`,
  ]);
}

function change(set: FilterSet, random: Random): void {
  if (random.chance(1)) set.replace(Array.from({ length: 50 }, () => randomMember(random)));
  else if (random.chance(60)) set.add(randomMember(random));
  else set.delete(randomMember(random));
}

test('copies follow every change, those while they were made too', async () => {
  const random = new Random();
  const large = new FilterSet(Array.from({ length: 20_000 }, () => randomMember(random)));
  for (let index = 0; index < 20_000; index++) large.add(`172.16.${index >> 8}.${index & 255}`);
  const sets = { large, small: new FilterSet([1]), none: new FilterSet() };
  const creating = SetCopies.create(sets);
  for (let turn = 0; turn < 4; turn++) {
    for (const set of Object.values(sets)) for (let at = 0; at < 200; at++) change(set, random);
    await nextTurn();
  }
  const copies = await creating;
  const other = copiedSets(structuredClone(copies.members));
  copies.connect((changes) => follow(other, structuredClone(changes)));
  for (let at = 0; at < 2000; at++) change(random.pick(Object.values(sets)), random);
  await nextTurn();
  for (const [name, set] of Object.entries(sets)) {
    expect(sorted(other[name]), `${name} SEED=${random.seed}`).toEqual(sorted(set));
  }
  copies.close();
  const before = sorted(other.small);
  sets.small.add('203.0.113.1');
  await nextTurn();
  expect(sorted(other.small)).toEqual(before);
});

test('the changes of a turn come together', async () => {
  const ports = new FilterSet();
  const copies = await SetCopies.create({ ports });
  const sizes: number[] = [];
  copies.connect((changes) => sizes.push(changes.length));
  ports.add(1).add(2).delete(1);
  ports.add(2);
  await nextTurn();
  ports.clear();
  await nextTurn();
  copies.close();
  expect(sizes).toEqual([3, 1]);
});
