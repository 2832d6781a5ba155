/**
 * Constants as they stand in the sources, exported or not.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';

/** A number, or several by name. */
export type SourceConstant = number | Readonly<Record<string, number>>;

/**
 * Reads `const NAME = ...;` at the beginning of a line.
 *
 * @param file below src
 * @param arch what `process.arch` is for it
 * @throws Error when it is not there, or made of more than numbers
 */
export function sourceConstant(file: string, name: string, arch: string): SourceConstant {
  const text = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');
  const declaration = new RegExp(
    `^(?:export )?const ${name}(?:: [^=]+)? =\\s([^;]*?)(?: as const)?;$`,
    'ms',
  );
  const found = declaration.exec(text)?.[1];
  if (found === undefined) throw new Error(`${file} has no constant ${name}`);
  return runInNewContext(`(${found})`, { process: { arch } });
}

/** Files of constants have these; a new one has to be in the table. */
export function namesIn(file: string): string[] {
  const text = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');
  return [...text.matchAll(/^(?:export )?const ([A-Z][A-Z0-9_]*)\b/gm)].map(
    ([, name = '']) => name,
  );
}
