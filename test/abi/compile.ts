/**
 * What the kernel's headers say about C expressions, for any machine that there is a compiler for: they
 * are compiled as data, and read out of the object file. Nothing is run.
 *
 * @module
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Compilers by what `process.arch` is there. */
export const COMPILERS = { x64: 'x86_64-linux-gnu-gcc', arm64: 'aarch64-linux-gnu-gcc' } as const;

export type Arch = keyof typeof COMPILERS;

/** Where Debian's package linux-libc-dev was unpacked, for other headers than the installed ones. */
const OTHER_HEADERS = process.env.ABI_HEADERS;
const ASM_FOLDERS = { x64: 'x86', arm64: 'arm64' } as const;

function headerOptions(arch: Arch): string[] {
  if (OTHER_HEADERS === undefined) return [];
  const folders = ['usr/include', `usr/lib/linux/uapi/${ASM_FOLDERS[arch]}`];
  return folders.flatMap((folder) => ['-isystem', join(OTHER_HEADERS, folder)]);
}

/** What the headers say. */
export interface HeaderFacts {
  /** By expression; null where the headers do not know it. */
  readonly values: ReadonlyMap<string, number | null>;
  /** `LINUX_VERSION_CODE` of the headers. */
  readonly version: number;
  /** ELF's number of the machine: 62 x86-64, 183 AArch64. */
  readonly machine: number;
  readonly isLittleEndian: boolean;
}

/** Whether the compiler for a machine is there. */
export function hasCompiler(arch: Arch): boolean {
  return spawnSync(COMPILERS[arch], ['--version']).status === 0;
}

const SECTION = '.abi';
const VERSION = 'LINUX_VERSION_CODE';
/** Lines of expressions are numbered from here, so that complaints tell which one it is. */
const FIRST_LINE = 100_000;

/**
 * @param headers as in `#include <...>`
 * @throws Error when something but unknown names is wrong
 */
export function evaluate(
  arch: Arch,
  headers: readonly string[],
  expressions: readonly string[],
): HeaderFacts {
  const all = [VERSION, ...new Set(expressions)];
  const unknown = new Set<string>();
  for (let tries = 0; tries < 3; tries++) {
    const known = all.filter((expression) => !unknown.has(expression));
    const { object, complaints } = compile(arch, headers, known);
    if (object) return factsOf(object, known, unknown);
    for (const line of complaints) unknown.add(known[line - FIRST_LINE] ?? '');
  }
  throw new Error('the expressions do not compile');
}

function compile(
  arch: Arch,
  headers: readonly string[],
  expressions: readonly string[],
): { object: Buffer | null; complaints: number[] } {
  const folder = mkdtempSync(join(tmpdir(), 'netdivert-abi-'));
  try {
    const file = join(folder, 'abi.o');
    const rows = expressions.map(
      (text, index) => `#line ${FIRST_LINE + index} "abi"\n(long long)(${text}),`,
    );
    const source = [
      '#define _GNU_SOURCE',
      ...headers.map((header) => `#include <${header}>`),
      `__attribute__((section("${SECTION}"), used)) static const long long abi[] = {`,
      ...rows,
      '};\n',
    ].join('\n');
    const options = [...headerOptions(arch), '-std=gnu11', '-fmax-errors=0'];
    const args = ['-c', '-x', 'c', ...options, '-o', file, '-'];
    const { status, stderr } = spawnSync(COMPILERS[arch], args, {
      input: source,
      encoding: 'utf8',
    });
    if (status === 0) return { object: readFileSync(file), complaints: [] };
    const complaints = [...stderr.matchAll(/^abi:(\d+):\d+: error/gm)].map(([, line]) =>
      Number(line),
    );
    if (complaints.length === 0) throw new Error(stderr);
    return { object: null, complaints };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function factsOf(
  object: Buffer,
  known: readonly string[],
  unknown: ReadonlySet<string>,
): HeaderFacts {
  const data = sectionOf(object, SECTION);
  const values = new Map<string, number | null>([...unknown].map((name) => [name, null]));
  known.forEach((name, index) => {
    values.set(name, Number(data.readBigInt64LE(index * 8)));
  });
  return {
    values,
    version: values.get(VERSION) ?? 0,
    machine: object.readUInt16LE(18),
    isLittleEndian: object[5] === 1,
  };
}

/** Bytes of a section of a 64-bit little-endian ELF file (elf(5)). */
function sectionOf(object: Buffer, wanted: string): Buffer {
  const table = Number(object.readBigUInt64LE(40));
  const entryBytes = object.readUInt16LE(58);
  const count = object.readUInt16LE(60);
  const header = (index: number): Buffer =>
    object.subarray(table + index * entryBytes, table + (index + 1) * entryBytes);
  const bytesOf = (entry: Buffer): Buffer => {
    const start = Number(entry.readBigUInt64LE(24));
    return object.subarray(start, start + Number(entry.readBigUInt64LE(32)));
  };
  const names = bytesOf(header(object.readUInt16LE(62)));
  for (let index = 0; index < count; index++) {
    const entry = header(index);
    const at = entry.readUInt32LE(0);
    if (names.toString('latin1', at, names.indexOf(0, at)) === wanted) return bytesOf(entry);
  }
  throw new Error(`the object has no section ${wanted}`);
}
