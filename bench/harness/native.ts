/** The C programs: compiled when their source is newer. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { CACHE, SOURCES } from './folders.ts';

const FOLDER = join(CACHE, 'c');
const reasons = new Map<string, string>();

/**
 * Compiles a program of `bench/c`, once.
 *
 * @param libraries it is linked with
 * @returns why it cannot be had here; empty when it is there
 */
export function compile(name: string, libraries: readonly string[] = []): string {
  const known = reasons.get(name);
  if (known !== undefined) return known;
  const reason = isFresh(name) ? '' : build(name, libraries);
  reasons.set(name, reason);
  return reason;
}

/** Path of a compiled program. */
export function binary(name: string): string {
  return join(FOLDER, name);
}

function isFresh(name: string): boolean {
  const source = join(SOURCES, 'c', `${name}.c`);
  return existsSync(binary(name)) && statSync(binary(name)).mtimeMs >= statSync(source).mtimeMs;
}

function build(name: string, libraries: readonly string[]): string {
  mkdirSync(FOLDER, { recursive: true });
  const source = join(SOURCES, 'c', `${name}.c`);
  const args = ['-O2', '-Wall', '-o', binary(name), source, ...libraries.map((one) => `-l${one}`)];
  const { status, stderr, error } = spawnSync('gcc', args, { encoding: 'utf8' });
  if (error) return 'gcc is not installed';
  return status === 0 ? '' : `does not compile: ${stderr.split('\n')[0]}`;
}
