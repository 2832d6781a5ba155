import { afterEach, describe, expect, test, vi } from 'vitest';
import { SystemError } from '../../src/errors.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { compileBpf } from '../../src/filter/emit-bpf.ts';
import { FilterSet } from '../../src/filter/extended/filter-set.ts';
import { BpfMap } from '../../src/linux/bpf/map.ts';
import { loadProgram, type Program, verifyProgram } from '../../src/linux/bpf/program.ts';
import { TestRunner } from '../../src/linux/bpf/test-run.ts';
import { FilterSetMaps, prepareSets } from '../../src/linux/filter-sets.ts';
import { ipv4, tcp } from '../helpers/build-packet.ts';
import { countDescriptors } from '../helpers/kernel-objects.ts';
import { fixedProcess } from '../helpers/process-lookup.ts';
import { Random } from '../helpers/random.ts';

const open: Disposable[] = [];
afterEach(() => {
  for (const resource of open.splice(0)) resource[Symbol.dispose]();
});

const runner = new TestRunner();

/** Holds source addresses against a program that looks into a set. */
function prepare(blocked: FilterSet): { matches(source: string): boolean; maps: FilterSetMaps } {
  const options = { dialect: 'extended', sets: { blocked } } as const;
  const filter = compileFilter('ip.SrcAddr in @blocked', 'network', options);
  const maps = new FilterSetMaps(filter.kernelSets, 'netdivert_test');
  open.push(maps);
  const compiled = compileBpf(filter.tests, {
    layer: 'network',
    direction: 'inbound',
    sets: maps.maps,
  });
  expect(compiled.exact).toBe(true);
  const program: Program = loadProgram(compiled.instructions, { name: 'netdivert_test' });
  open.push(program);
  const matches = (source: string): boolean =>
    runner.run(program.fd, ipv4({ source }, tcp({})), 4).result !== 0;
  return { matches, maps };
}

const address = (index: number): string =>
  `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${index & 255}`;

describe('a program that runs sees', () => {
  test('what is added to an empty set, and taken away', () => {
    const blocked = new FilterSet();
    const { matches } = prepare(blocked);
    expect(matches('192.0.2.1')).toBe(false);
    blocked.add('192.0.2.1');
    expect(matches('192.0.2.1')).toBe(true);
    blocked.add('192.0.2.0/24').delete('192.0.2.1');
    expect(matches('192.0.2.1')).toBe(true);
    blocked.delete('192.0.2.0/24');
    expect(matches('192.0.2.1')).toBe(false);
    blocked.add('0.0.0.0/0');
    expect(matches('192.0.2.1')).toBe(true);
    blocked.clear();
    expect(matches('192.0.2.1')).toBe(false);
  });

  test('a set that grows beyond the room of its first maps', () => {
    const blocked = new FilterSet();
    const { matches } = prepare(blocked);
    for (let index = 0; index < 5000; index++) blocked.add(address(index));
    for (let index = 0; index < 5000; index += 97) expect(matches(address(index))).toBe(true);
    expect(matches(address(5000))).toBe(false);
    for (let index = 0; index < 3000; index++)
      blocked.add(`172.16.${index >> 4}.${(index & 15) << 4}/28`);
    expect(matches('172.16.5.33')).toBe(true);
    expect(matches('172.16.187.129')).toBe(false);
    expect(matches(address(4999))).toBe(true);
  });

  test('other members in the place of all', () => {
    const blocked = new FilterSet(['10.0.0.1', '172.16.0.0/12']);
    const { matches } = prepare(blocked);
    blocked.replace(['10.0.0.2', '192.168.0.0/16']);
    const sources = ['10.0.0.1', '172.16.0.1', '10.0.0.2', '192.168.9.9'];
    expect(sources.map(matches)).toEqual([false, false, true, true]);
  });

  test('100,000 addresses and as many prefixes', () => {
    const members = Array.from({ length: 100_000 }, (_, index) => address(index * 2));
    const prefixes = Array.from({ length: 100_000 }, (_, index) => {
      return `100.${index >> 10}.${(index >> 2) & 255}.${(index & 3) << 6}/27`;
    });
    const { matches } = prepare(new FilterSet([...members, ...prefixes]));
    for (let index = 0; index < 200_000; index += 1999) {
      expect(matches(address(index)), address(index)).toBe(index % 2 === 0);
    }
    expect(matches('100.50.1.65')).toBe(true);
    expect(matches('100.50.1.97')).toBe(false);
  });
});

test('maps that were closed follow the set no longer', () => {
  const blocked = new FilterSet(['10.0.0.1']);
  const { matches, maps } = prepare(blocked);
  maps.close();
  blocked.add('10.0.0.2');
  expect([matches('10.0.0.1'), matches('10.0.0.2')]).toEqual([true, false]);
});

test('nothing stays open', () => {
  const blocked = new FilterSet(['10.0.0.1', '10.0.0.0/8']);
  const before = countDescriptors();
  const maps = new FilterSetMaps([blocked], 'netdivert_test');
  for (let index = 0; index < 3000; index++) blocked.add(address(index));
  blocked.replace(['10.0.0.0/8']);
  blocked.clear();
  blocked.add(1);
  maps.close();
  maps.close();
  expect(countDescriptors()).toBe(before);
});

test('one set serves several programs', () => {
  const blocked = new FilterSet();
  const programs = [prepare(blocked), prepare(blocked)];
  blocked.add('10.0.0.1');
  expect(programs.map(({ matches }) => matches('10.0.0.1'))).toEqual([true, true]);
});

describe('the verifier takes', () => {
  const names = Array.from({ length: 60 }, (_, index) => `"name${index}"`).join(', ');
  const ports = Array.from({ length: 250 }, (_, index) => index * 3).join(', ');
  const rows: readonly (readonly [name: string, filter: string])[] = [
    [
      'many set lookups',
      'remoteAddr in @a or localAddr in @a or '.repeat(20).concat('tcp.DstPort in @a'),
    ],
    [
      'processes and sets',
      `processName in { ${names} } and not (remoteAddr in @a) or userId in @a`,
    ],
    ['large sets', `tcp.DstPort in { ${ports} } or not (udp.DstPort in { ${ports} })`],
    [
      'masks',
      'remoteAddr & ::ff == ::1 or localAddr & 255.0.0.255 == 10.0.0.1 or tcp.Window & 7 == 5',
    ],
  ];

  test.each(rows)('%s', (_name, source) => {
    const a = new FilterSet([1, '10.0.0.0/8']);
    const filter = compileFilter(source, 'network', { dialect: 'extended', sets: { a } });
    const maps = new FilterSetMaps(filter.kernelSets, 'netdivert_test');
    open.push(maps);
    const { instructions, exact } = compileBpf(filter.tests, {
      layer: 'network',
      direction: 'inbound',
      sets: maps.maps,
      process: fixedProcess({ processId: 1, processName: 'name5' }),
    });
    expect(exact).toBe(true);
    const { processedInstructions } = verifyProgram(instructions, { name: 'netdivert_test' });
    expect(processedInstructions).toBeLessThan(200_000);
  });
});

describe('filled in slices', () => {
  const MEMBERS = 50_000;
  const members = Array.from({ length: MEMBERS }, (_, index) => address(index));
  const filterOf = (blocked: FilterSet) =>
    compileFilter('ip.SrcAddr in @blocked', 'network', {
      dialect: 'extended',
      sets: { blocked },
    });

  /** Fills while `change` is called at every turn of the event loop. */
  async function fill(blocked: FilterSet, change: (turn: number) => void): Promise<number> {
    let turns = 0;
    let isFilled = false;
    const turn = (): void => {
      change(turns++);
      if (!isFilled) setImmediate(turn);
    };
    setImmediate(turn);
    const prepared = await prepareSets(filterOf(blocked));
    isFilled = true;
    if (prepared) open.push(prepared);
    return turns;
  }

  test('the program has its turns, and the channel finds the set filled', async () => {
    const blocked = new FilterSet(members);
    expect(await fill(blocked, () => {})).toBeGreaterThan(MEMBERS / 5000);
    const before = countDescriptors();
    const { matches } = prepare(blocked);
    // A program alone: its maps are there.
    expect(countDescriptors()).toBe(before + 1);
    expect([0, MEMBERS - 1, MEMBERS].map((index) => matches(address(index)))).toEqual([
      true,
      true,
      false,
    ]);
  });

  test('what is added and deleted meanwhile', async () => {
    const random = new Random();
    const blocked = new FilterSet(members);
    await fill(blocked, () => {
      for (let count = 0; count < 200; count++) {
        const one = address(random.below(MEMBERS * 2));
        if (random.chance(50)) blocked.add(one);
        else blocked.delete(one);
      }
      blocked.add(`172.${16 + random.below(16)}.0.0/16`);
    });
    const { matches } = prepare(blocked);
    for (let index = 0; index < MEMBERS * 2; index += 7) {
      const one = address(index);
      expect(matches(one), `${one} SEED=${random.seed}`).toBe(blocked.covers(one));
    }
    for (let index = 0; index < 16; index++) {
      expect(matches(`172.${16 + index}.1.1`)).toBe(blocked.covers(`172.${16 + index}.1.1`));
    }
  });

  test('a set that is replaced, or needed at once, meanwhile', async () => {
    const blocked = new FilterSet(members);
    await fill(blocked, (turn) => {
      if (turn === 3) blocked.replace(['192.0.2.1']);
    });
    const { matches } = prepare(blocked);
    expect([address(1), '192.0.2.1'].map(matches)).toEqual([false, true]);
    const other = new FilterSet(members);
    const filling = prepareSets(filterOf(other));
    const { matches: matchesAtOnce } = prepare(other);
    expect(matchesAtOnce(address(MEMBERS - 1))).toBe(true);
    open.push((await filling) as Disposable);
  });

  test('one that outgrows its maps a few members at a time', async () => {
    const blocked = new FilterSet();
    const { matches } = prepare(blocked);
    for (let index = 0; index < 8000; index++) {
      blocked.add(address(index));
      if (index % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    for (let index = 0; index < 8000; index += 41) expect(matches(address(index))).toBe(true);
    expect(matches(address(8000))).toBe(false);
  });
});

describe('what the kernel refuses', () => {
  const refusal = new SystemError('bpf(BPF_MAP_UPDATE_ELEM)', 12, 'no memory');
  const refuseOnce = (method: 'add' | 'insertAll'): void => {
    vi.spyOn(BpfMap.prototype, method).mockImplementationOnce(() => {
      throw refusal;
    });
  };
  afterEach(() => void vi.restoreAllMocks());

  test('a member: it is neither here nor there', () => {
    const blocked = new FilterSet(['10.0.0.1']);
    const { matches } = prepare(blocked);
    refuseOnce('add');
    expect(() => blocked.add('10.0.0.2')).toThrow(refusal);
    expect([blocked.size, blocked.has('10.0.0.2'), matches('10.0.0.2')]).toEqual([1, false, false]);
    blocked.add('10.0.0.2');
    expect([blocked.size, matches('10.0.0.2')]).toEqual([2, true]);
  });

  test('all other members: the old ones stay', () => {
    const blocked = new FilterSet(['10.0.0.1', '172.16.0.0/12']);
    const { matches } = prepare(blocked);
    refuseOnce('insertAll');
    expect(() => blocked.replace(['10.0.0.2'])).toThrow(refusal);
    expect(['10.0.0.1', '10.0.0.2', '172.16.0.1'].map(matches)).toEqual([true, false, true]);
    expect([...blocked].sort()).toEqual(['10.0.0.1', '172.16.0.0/12']);
    const before = countDescriptors();
    blocked.replace(['10.0.0.3', '172.16.0.0/12']);
    expect(countDescriptors()).toBe(before);
    expect(['10.0.0.1', '10.0.0.3', '172.16.0.1'].map(matches)).toEqual([false, true, true]);
  });

  test('a set that is being filled: nothing stays open', async () => {
    const blocked = new FilterSet(['10.0.0.1']);
    const filter = compileFilter('ip.SrcAddr in @blocked', 'network', {
      dialect: 'extended',
      sets: { blocked },
    });
    const before = countDescriptors();
    refuseOnce('insertAll');
    await expect(prepareSets(filter)).rejects.toThrow(refusal);
    expect(countDescriptors()).toBe(before);
    blocked.add('10.0.0.2');
  });
});
