import { readFileSync } from 'node:fs';
import { packageFile } from './package-file.ts';

/** Version of the package. */
export function readVersion(): string {
  return JSON.parse(readFileSync(packageFile('package.json'), 'utf8')).version;
}
