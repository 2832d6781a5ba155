import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './command.ts';

/** A fenced block of a document. */
export interface CodeBlock {
  /** For test names: file and line. */
  readonly place: string;
  readonly language: string;
  /** What a comment right before it says about running it: `live`, `offline` or nothing. */
  readonly run: string | null;
  readonly source: string;
}

/** Every document of the project. */
export function documents(): string[] {
  const files = readdirSync(join(ROOT, 'docs'), { recursive: true, encoding: 'utf8' });
  const docs = files.filter((name) => name.endsWith('.md'));
  return ['README.md', ...docs.map((name) => join('docs', name))];
}

/** The fenced blocks of a document. */
export function codeBlocks(name: string): CodeBlock[] {
  const text = readFileSync(join(ROOT, name), 'utf8');
  const pattern = /(?:<!-- run: (\w+) -->\n)?^```(\w*)\n([\s\S]*?)^```$/gm;
  return [...text.matchAll(pattern)].map(({ 1: run, 2: language = '', 3: source = '', index }) => ({
    place: `${name}:${text.slice(0, index).split('\n').length}`,
    language,
    run: run ?? null,
    source,
  }));
}

/**
 * Writes TypeScript blocks as modules that can import the built package by its name.
 *
 * @param folder - name of a folder for them below the project's `.cache`; what is in it goes
 * @returns their paths
 */
export function writeModules(
  folder: string,
  blocks: readonly CodeBlock[],
  suffix: string,
): string[] {
  const path = join(ROOT, '.cache', folder);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path, { recursive: true });
  return blocks.map(({ source }, index) => {
    const file = join(path, `block-${index}${suffix}`);
    writeFileSync(file, source);
    return file;
  });
}
