/**
 * Lines of `--json` against the tables of docs/cli-json.md.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './command.ts';

interface DocumentedField {
  readonly types: readonly string[];
  readonly isOptional: boolean;
}

/** Fields by type of line. */
const TYPES: ReadonlyMap<string, ReadonlyMap<string, DocumentedField>> = readTables();

/** Types of lines that are described. */
export const JSON_TYPES: readonly string[] = [...TYPES.keys()];

function readTables(): Map<string, Map<string, DocumentedField>> {
  const text = readFileSync(join(ROOT, 'docs/cli-json.md'), 'utf8');
  const [, ...sections] = text.split(/^## /m);
  return new Map(
    sections.map((section) => {
      const rows = [...section.matchAll(/^\| `([^`]+)` \| ([^|]+) \|/gm)];
      return [
        section.split('\n')[0] ?? '',
        new Map(rows.map(([, name = '', type = '']) => [name, readType(type)])),
      ];
    }),
  );
}

function readType(text: string): DocumentedField {
  return {
    types: text.replace('?', '').trim().split(' or '),
    isOptional: text.includes('?'),
  };
}

/** What is wrong with a line, nothing when it is as documented. */
export function checkJsonLine(line: string): string[] {
  const { v, type, ...record } = JSON.parse(line);
  if (v !== 1) return [`v is ${v}`];
  const fields = TYPES.get(type);
  if (fields === undefined) return [`type ${type} is not documented`];
  const found = flatten(record, fields);
  const unknown = [...found.keys()].filter((name) => !fields.has(name));
  const missing = [...fields].filter(([name, { isOptional }]) => !isOptional && !found.has(name));
  const wrong = [...found].filter(([name, value]) => {
    const field = fields.get(name);
    return field !== undefined && !field.types.includes(typeOf(value));
  });
  return [
    ...unknown.map((name) => `${type}.${name} is not documented`),
    ...missing.map(([name]) => `${type}.${name} is missing`),
    ...wrong.map(([name, value]) => `${type}.${name} is ${JSON.stringify(value)}`),
  ];
}

/** Names of fields in fields are joined by dots, down to those that are documented. */
function flatten(
  record: Readonly<Record<string, unknown>>,
  documented: ReadonlyMap<string, DocumentedField>,
  prefix = '',
): Map<string, unknown> {
  const found = new Map<string, unknown>();
  for (const [key, value] of Object.entries(record)) {
    const name = prefix + key;
    if (!documented.has(name) && typeOf(value) === 'object') {
      const inner = flatten(value as Record<string, unknown>, documented, `${name}.`);
      for (const [innerName, innerValue] of inner) found.set(innerName, innerValue);
    } else found.set(name, value);
  }
  return found;
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}
