/**
 * The numbers and layouts in the sources are those of the kernel's headers, on x86-64 and on arm64.
 */
import { describe, expect, test } from 'vitest';
import { type Arch, evaluate, type HeaderFacts, hasCompiler } from '../abi/compile.ts';
import { type SourceConstant, sourceConstant } from '../abi/source-constants.ts';
import { findMissing, HEADERS, type Row, TABLE } from '../abi/table.ts';

/** ELF machines (elf.h), and the number of bpf(2) (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h). */
const MACHINES = [
  { arch: 'x64', machine: 62, nrBpf: 321 },
  { arch: 'arm64', machine: 183, nrBpf: 280 },
] as const satisfies readonly { arch: Arch; machine: number; nrBpf: number }[];

/** One number in the sources and what it is in C. */
interface Claim {
  readonly label: string;
  readonly value: number;
  readonly expression: string;
  readonly since: number;
}

function claimsOf(row: Row, value: SourceConstant): Claim[] {
  const { file, name, expression, other, since: [major, minor] = [0, 0] } = row;
  const since = (major << 16) | (minor << 8);
  if (typeof value === 'number') {
    return [{ label: `${file} ${name}`, value, expression: String(expression), since }];
  }
  const known = typeof expression === 'string' ? {} : expression;
  const unused = Object.keys(known).filter((key) => !(key in value) && known[key] !== null);
  // Some rows share their members.
  if (unused.length > 0 && other === undefined) throw new Error(`${file} ${name}: ${unused}`);
  return Object.entries(value).flatMap(([key, number]) => {
    const text = key in known ? known[key] : other?.(key);
    if (text === null || text === undefined) return [];
    return [{ label: `${file} ${name}.${key}`, value: number, expression: text, since }];
  });
}

function claimsFor(arch: Arch): Claim[] {
  return TABLE.flatMap((row) => claimsOf(row, sourceConstant(row.file, row.name, arch)));
}

function disagreements(claims: readonly Claim[], facts: HeaderFacts): string[] {
  return claims.flatMap(({ label, value, expression, since }) => {
    const said = facts.values.get(expression);
    if (said === value) return [];
    if (said === null && facts.version < since) return [];
    return [`${label} is ${value}, ${expression} is ${said}`];
  });
}

test('the table is complete', () => {
  expect(findMissing()).toEqual([]);
});

describe.each(MACHINES)('$arch', ({ arch, machine, nrBpf }) => {
  test.skipIf(!hasCompiler(arch))('numbers and layouts are those of the headers', () => {
    const claims = claimsFor(arch);
    const expressions = [
      ...claims.map(({ expression }) => expression),
      '__NR_bpf',
      'sizeof(void *)',
    ];
    const facts = evaluate(arch, HEADERS, expressions);
    expect(facts.machine).toBe(machine);
    expect(facts.isLittleEndian).toBe(true);
    expect(disagreements(claims, facts)).toEqual([]);
    expect(claims.length).toBeGreaterThan(400);
    expect(facts.values.get('__NR_bpf')).toBe(nrBpf);
    expect(facts.values.get('sizeof(void *)')).toBe(8);
  });

  test('the number of bpf(2)', () => {
    const numbers = sourceConstant('linux/sys/constants.ts', 'NR_BPF_OF', arch);
    expect(numbers).toMatchObject({ [arch]: nrBpf });
  });
});
