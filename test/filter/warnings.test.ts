import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { compileFilter, type FilterWarningCode, type Layer } from '../../src/filter/index.ts';

interface Row {
  readonly filter: string;
  readonly layer?: Layer;
  /** Code, position and part of the message of each warning. */
  readonly warnings: readonly (readonly [FilterWarningCode, number, string])[];
}

function warningsOf(filter: string, layer: Layer = 'network') {
  return compileFilter(filter, layer).warnings;
}

const ROWS: readonly Row[] = [
  {
    filter: 'tcp.DstPort == 70000',
    warnings: [['out-of-range', 15, 'becomes "not tcp" and matches every packet without TCP']],
  },
  { filter: 'not tcp.DstPort == 70000', warnings: [['out-of-range', 19, 'becomes "tcp"']] },
  { filter: 'udp or tcp.DstPort < 65536', warnings: [['out-of-range', 21, 'becomes "tcp"']] },
  {
    filter: 'tcp.DstPort != -1',
    warnings: [['out-of-range', 15, '-1 is outside the range of tcp.DstPort (0 to 65535)']],
  },
  { filter: 'random8 == 256 or tcp', warnings: [['out-of-range', 11, 'the test is always false']] },
  {
    filter: 'ip.DstAddr < 3758096384',
    warnings: [['out-of-range', 13, '3758096384 as an address is 224.0.0.0']],
  },
  { filter: 'ip.SrcAddr == ::1', warnings: [['out-of-range', 14, '(0.0.0.0 to 255.255.255.255)']] },
  {
    filter: 'priority > 30001 or layer == FLOW',
    layer: 'reflect',
    warnings: [['out-of-range', 11, '(-30000 to 30000)']],
  },
  {
    filter: 'ip.TTL < 0 or tcp',
    warnings: [['constant-test', 9, 'ip.TTL is 0 to 255: the test becomes "not ip"']],
  },
  { filter: 'ip.Id >= 0 and ip.Id <= 15', warnings: [] },
  { filter: 'tcp.PayloadLength >= 0', warnings: [] },
  {
    filter: 'tcp and b udp',
    warnings: [['ignored-word', 8, 'a byte index is written without a blank']],
  },
  { filter: 'packet[5 b] == 1', warnings: [['ignored-word', 9, '[5b]']] },
  { filter: 'packet[5b] == 1', warnings: [] },
  {
    filter: '(true? tcp: udp)',
    warnings: [['dead-test', 12, 'this test of udp has no effect: it never runs']],
  },
  { filter: '(false? tcp: udp)', warnings: [['dead-test', 8, 'this test of tcp']] },
  {
    filter: '(tcp and false) or udp',
    warnings: [['dead-test', 1, 'this test of tcp has no effect: its outcome changes nothing']],
  },
  { filter: 'tcp and (true or ip.Id == 1)', warnings: [['dead-test', 17, 'ip.Id']] },
  { filter: 'tcp and false', warnings: [['always-false', 0, 'matches nothing']] },
  { filter: 'tcp.Syn or true', warnings: [['always-true', 0, 'matches everything']] },
  {
    filter: 'random8 < 256',
    warnings: [
      ['always-true', 0, 'matches everything'],
      ['out-of-range', 10, 'always true'],
    ],
  },
  { filter: 'true', warnings: [] },
  { filter: 'false', warnings: [] },
  { filter: '(not zero)', warnings: [] },
  { filter: 'tcp and event == 0 and not zero', warnings: [] },
  { filter: 'loopback == -0', warnings: [['negative-zero', 12, 'equal to nothing']] },
  { filter: 'ip.TTL == -0', warnings: [['negative-zero', 10, 'becomes "not ip"']] },
  {
    filter: 'impostor == -1',
    warnings: [
      ['negative-value', 12, 'impostor is never negative; the text of this filter loses the sign'],
    ],
  },
  { filter: 'tcp.SeqNum > -1', warnings: [['negative-value', 13, 'tcp.SeqNum is never negative']] },
  { filter: 'packet32[0] == -1', warnings: [['negative-value', 15, 'loses the sign']] },
  { filter: 'tcp.SeqNum == 4294967297', warnings: [['lost-bits', 14, 'only the low 32 bits']] },
  { filter: 'timestamp > -5', warnings: [] },
  { filter: 'ip.SrcAddr == 4294967297.0.0.1', warnings: [['odd-address', 14, 'modulo 2^32']] },
  { filter: 'ip.SrcAddr == 001.002.003.255', warnings: [] },
  {
    filter: 'ipv6.SrcAddr == 1:2:3:4:5:6:7:8:zzz',
    warnings: [['odd-address', 16, 'the rest is ignored']],
  },
  { filter: 'ipv6.SrcAddr == 1:2:3:4:5:6:7::', warnings: [] },
  {
    filter: '(tcp? ipv6.SrcAddr == fe80:: : udp)',
    warnings: [['text-does-not-compile', 0, 'keep the filter']],
  },
  { filter: '(ipv6.SrcAddr == fe80::? tcp: udp)', warnings: [] },
  { filter: `tcp${' or tcp'.repeat(254)}`, warnings: [] },
  { filter: `tcp${' or tcp'.repeat(255)}`, warnings: [['unusable-object', 0, '256 tests']] },
  { filter: '@WinDiv_WX_1cWW24WAX', warnings: [] },
  {
    filter: '@WinDiv_WX_1cWW24WAX',
    layer: 'flow',
    warnings: [['field-of-other-layer', 0, 'no field tcp.SrcPort']],
  },
];

describe('warnings', () => {
  test.each(ROWS.map((row) => [row.filter.slice(0, 60), row] as const))('%s', (_name, row) => {
    const found = warningsOf(row.filter, row.layer);
    expect(found.map(({ code, position }) => [code, position])).toEqual(
      row.warnings.map(([code, position]) => [code, position]),
    );
    for (const [index, [, , part]] of row.warnings.entries()) {
      expect(found[index]?.message).toContain(part);
    }
  });
});

test('few filters of public programs have warnings, and those deserve them', () => {
  const text = readFileSync(new URL('../vectors/real-filters.json', import.meta.url), 'utf8');
  const filters: { filter: string; layer: Layer }[] = JSON.parse(text);
  const warned = filters.flatMap(({ filter, layer }) =>
    warningsOf(filter, layer).map(
      ({ code, position }) => `${code}: ${filter.slice(position, position + 20)}`,
    ),
  );
  expect(warned).toEqual([
    'dead-test: ip.Id == 54321) and ',
    'dead-test: tcp and false) )) an',
    'out-of-range: 3758096384)',
  ]);
});
