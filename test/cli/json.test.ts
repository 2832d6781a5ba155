import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { endpointRecord, reflectRecord } from '../../src/cli/events/event-line.ts';
import { formatIsoTime, formatJson, type JsonRecord } from '../../src/cli/json.ts';
import { ensureBuilt, netdivert, ROOT } from '../helpers/command.ts';
import { flowEvent, reflectEvent, socketEvent } from '../helpers/fake-events.ts';
import { checkJsonLine, JSON_TYPES } from '../helpers/json-doc.ts';

const CAPTURE = join(ROOT, 'captures/demo.pcapng');
const SYN = '450000280001400040066f86 0a4d0001 0a4d0002 9c41005000000001000000005002faf000000000';
const folder = mkdtempSync(join(tmpdir(), 'netdivert-json-'));

beforeAll(ensureBuilt, 60_000);
afterAll(() => rmSync(folder, { recursive: true }));

const documented = (line: string): void => {
  expect(checkJsonLine(line)).toEqual([]);
};

test.each([
  ['dump', ['dump', '-r', CAPTURE], 41, ['packet', 'summary']],
  ['dump with bytes', ['dump', '-r', CAPTURE, '-x', 'icmp'], 3, ['packet', 'summary']],
  ['pass', ['pass', '-r', CAPTURE], 1, ['summary']],
  ['block', ['block', '-r', CAPTURE, 'tcp'], 1, ['summary']],
  ['shape', ['shape', '-r', CAPTURE, '--loss', '50%'], 1, ['summary']],
  ['web', ['web', '-r', CAPTURE, '--host', 'example'], 4, ['blocked', 'summary']],
  ['top', ['top', '-r', CAPTURE], 1, ['traffic']],
  ['flows of all', ['top', '-r', CAPTURE, '--flows'], 6, ['traffic']],
  ['filter check', ['filter', 'check', 'tcp.DstPort == 70000'], 1, ['filter']],
  ['filter format', ['filter', 'format', 'tcp'], 1, ['filter']],
  ['filter explain', ['filter', 'explain', 'tcp'], 1, ['filter']],
  [
    'filter explain, extended',
    ['filter', 'explain', 'processId = 4', '--dialect', 'extended'],
    1,
    ['filter'],
  ],
  ['filter bpf', ['filter', 'bpf', 'tcp'], 2, ['program']],
  ['filter eval', ['filter', 'eval', 'tcp', '--packet', SYN], 1, ['match']],
  ['filter eval of a file', ['filter', 'eval', 'udp', '-r', CAPTURE], 3, ['packet', 'summary']],
] as const)('%s prints what docs/cli-json.md says', async (_name, args, count, types) => {
  const { code, stdout } = await netdivert([...args, '--json']);
  const lines = stdout.trimEnd().split('\n');
  expect({ code, count: lines.length }).toEqual({ code: 0, count });
  for (const line of lines) documented(line);
  expect([...new Set(lines.map((line) => JSON.parse(line).type))]).toEqual(types);
});

test('a filter that is not valid is data, too', async () => {
  const { code, stdout, stderr } = await netdivert([
    'filter',
    'check',
    '--json',
    'not (tcp or udp)',
  ]);
  expect({ code, stderr }).toEqual({ code: 2, stderr: '' });
  documented(stdout);
  expect(JSON.parse(stdout)).toMatchObject({ valid: false, position: 4 });
});

test.each([
  ['a flow', endpointRecord(flowEvent(), 5n)],
  ['a socket', endpointRecord(socketEvent(), 5n)],
  ['a handle', reflectRecord(reflectEvent(), 5n)],
])('the record of %s is as documented', (_name, record) => {
  documented(formatJson(record));
});

test('a broken packet says that it is none', async () => {
  const file = join(folder, 'broken.pcap');
  const header = Buffer.from('d4c3b2a1020004000000000000000000ffff000065000000', 'hex');
  const record = Buffer.from('00000000000000000400000004000000', 'hex');
  writeFileSync(file, Buffer.concat([header, record, Buffer.from('45000004', 'hex')]));
  const { stdout } = await netdivert(['dump', '-r', file, '--json', 'true']);
  for (const line of stdout.trimEnd().split('\n')) documented(line);
});

test.each<[string, JsonRecord, string]>([
  [
    '64-bit numbers are text',
    { type: 'x', id: 2n ** 60n },
    '{"v":1,"type":"x","id":"1152921504606846976"}',
  ],
  ['what is undefined is left out', { type: 'x', a: undefined }, '{"v":1,"type":"x"}'],
])('%s', (_name, record, line) => {
  expect(formatJson(record)).toBe(line);
});

test('times have nanoseconds', () => {
  expect(formatIsoTime(1_767_225_600_000_000_001n)).toBe('2026-01-01T00:00:00.000000001Z');
});

test('the check finds what is wrong', () => {
  expect(checkJsonLine('{"v":1,"type":"match","filter":3,"more":1}')).toEqual([
    'match.more is not documented',
    'match.matches is missing',
    'match.filter is 3',
  ]);
  expect(checkJsonLine('{"v":1,"type":"nothing"}')).toEqual(['type nothing is not documented']);
  expect(JSON_TYPES).toContain('leftover');
});
