import { describe, expect, test } from 'vitest';
import { compileFilter } from '../../src/filter/compile.ts';
import { type BpfOptions, compileBpf, MAX_EXTENSION_HEADERS } from '../../src/filter/emit-bpf.ts';
import { runProgram, type SkbFields } from '../helpers/bpf-machine.ts';
import { concat, extension, ipv4, ipv6, tcp, udp } from '../helpers/build-packet.ts';

const OUTBOUND: BpfOptions = { layer: 'network', direction: 'outbound' };
const INBOUND: BpfOptions = { layer: 'network', direction: 'inbound' };
const FORWARD: BpfOptions = { layer: 'forward' };
const FINAL: BpfOptions = { ...OUTBOUND, superPackets: 'whole', checksums: 'final' };

const PKT_TYPE = 4;
const INGRESS_IFINDEX = 36;
const GSO_SIZE = 176;

const web = ipv4({}, tcp({ destinationPort: 443 }, new Uint8Array(100)));
const web6 = ipv6({}, tcp({ destinationPort: 443 }, new Uint8Array(100)));
const dns = ipv4({ protocol: 17 }, udp({ destinationPort: 53 }));

function compile(filter: string, options: BpfOptions) {
  return compileBpf(compileFilter(filter, options.layer).tests, options);
}

function run(filter: string, options: BpfOptions, packet: Uint8Array, fields: SkbFields = {}) {
  return runProgram(compile(filter, options).instructions, packet, fields) !== 0;
}

type ReportRow = readonly [filter: string, options: BpfOptions, inexact: readonly string[]];

const REPORTS: readonly ReportRow[] = [
  ['tcp.DstPort == 443', OUTBOUND, []],
  ['outbound and tcp.Syn', OUTBOUND, []],
  ['inbound and timestamp > 5', OUTBOUND, []],
  ['true', OUTBOUND, []],
  ['loopback', OUTBOUND, ['loopback needs-variants']],
  ['loopback', { ...OUTBOUND, loopback: true }, []],
  ['loopback', INBOUND, []],
  ['loopback > -1', OUTBOUND, []],
  ['impostor', FORWARD, ['impostor needs-variants']],
  ['impostor', { ...FORWARD, impostor: false }, []],
  ['ifIdx == 3', OUTBOUND, ['ifIdx not-in-context']],
  ['ifIdx == 3', { ...OUTBOUND, loopback: true }, []],
  ['ifIdx == 3', INBOUND, []],
  ['ifIdx == 3', FORWARD, []],
  ['subIfIdx == 0', OUTBOUND, []],
  ['timestamp > 5 or random8 < 3', FORWARD, ['timestamp not-in-context', 'random8 not-in-context']],
  ['tcp.Checksum == 5', FORWARD, ['tcp.Checksum checksum-not-final']],
  ['tcp.Checksum == 5', { ...FORWARD, checksums: 'final', superPackets: 'whole' }, []],
  ['length > 1500', OUTBOUND, ['length differs-in-segments']],
  ['length > 1500', { ...OUTBOUND, superPackets: 'whole' }, []],
  ['packet[16] == 1', { ...OUTBOUND, superPackets: 'whole' }, []],
  ['packet[36] == 1', { ...OUTBOUND, superPackets: 'whole' }, ['packet checksum-not-final']],
];

test.each(REPORTS)('%s, %o: what is not exact', (filter, options, expected) => {
  const { inexact, exact } = compile(filter, options);
  const said = inexact.map(({ field, reason }) => `${field} ${reason}`);
  expect(said.sort()).toEqual([...expected].sort());
  expect(exact).toBe(expected.length === 0);
});

test('the report says which variants would be more exact', () => {
  const needs = (filter: string) => {
    const { needsLoopbackVariants, needsImpostorVariants } = compile(filter, OUTBOUND);
    return [needsLoopbackVariants, needsImpostorVariants];
  };
  expect(needs('loopback and tcp')).toEqual([true, false]);
  expect(needs('not impostor and tcp')).toEqual([false, true]);
  expect(needs('tcp')).toEqual([false, false]);
});

test('a filter that the hook decides is constant', () => {
  expect(compile('inbound', OUTBOUND).constant).toBe(false);
  expect(compile('outbound', OUTBOUND).constant).toBe(true);
  expect(compile('tcp', OUTBOUND).constant).toBeNull();
  expect(compile('length > 5', OUTBOUND).constant).toBe(true);
});

describe('what is known of packets that came in', () => {
  const lo = { [INGRESS_IFINDEX]: 1 };
  const looped = { [INGRESS_IFINDEX]: 3, [PKT_TYPE]: 5 };
  const eth = { [INGRESS_IFINDEX]: 3 };

  test.each<readonly [string, BpfOptions, SkbFields, boolean]>([
    ['true', INBOUND, eth, true],
    ['true', INBOUND, lo, false],
    ['true', INBOUND, looped, false],
    ['true', FORWARD, lo, true],
    ['ifIdx == 3', INBOUND, eth, true],
    ['ifIdx == 4', INBOUND, eth, false],
    ['ifIdx == 3', FORWARD, eth, true],
    ['ifIdx == 4', FORWARD, eth, false],
  ])('%s, %o, %o: %s', (filter, options, fields, expected) => {
    expect(run(filter, options, web, fields)).toBe(expected);
  });
});

describe('unknown tests let both outcomes through, and nothing else', () => {
  test.each<readonly [string, boolean, boolean]>([
    ['timestamp > 5', true, true],
    ['not timestamp > 5', true, true],
    ['timestamp > 5 and tcp', true, false],
    ['timestamp > 5 and tcp or timestamp < 3 and udp', true, true],
    ['(timestamp > 5 ? tcp : udp)', true, true],
    ['(timestamp > 5 ? icmp : udp)', false, true],
    ['(timestamp > 5 ? icmp : icmp)', false, false],
    ['(loopback ? tcp : icmp)', true, false],
    ['ifIdx == 3 and udp.DstPort == 53', false, true],
    ['tcp.Checksum == 0', true, false],
    ['tcp.Checksum != 0', true, false],
  ])('%s: TCP %s, UDP %s', (filter, onTcp, onUdp) => {
    expect([run(filter, OUTBOUND, web), run(filter, OUTBOUND, dns)]).toEqual([onTcp, onUdp]);
  });
});

describe('super-packets', () => {
  const gso = { [GSO_SIZE]: 1400 };
  test.each<readonly [string, boolean, boolean]>([
    ['tcp.DstPort == 443', true, true],
    ['tcp.DstPort == 80', false, false],
    ['length == 50', true, false],
    ['length == 50 and tcp.DstPort == 80', false, false],
    ['tcp.Fin', true, false],
    ['tcp.Payload[0] == 0x99', true, false],
    ['udp.Payload[0] == 0x99', false, false],
    ['packet[9] == 17', true, false],
  ])('%s: in segments %s, whole %s', (filter, inSegments, whole) => {
    expect(run(filter, OUTBOUND, web, gso)).toBe(inSegments);
    expect(run(filter, { ...OUTBOUND, superPackets: 'whole' }, web, gso)).toBe(whole);
    expect(run(filter, OUTBOUND, web)).toBe(whole);
  });

  test.each([
    ['IPv4', web, 2],
    ['IPv6', web6, 4],
  ] as const)('one over 64 KB of %s says length 0', (_, packet, lengthAt) => {
    const big = Uint8Array.from(packet);
    big.fill(0, lengthAt, lengthAt + 2);
    expect(run('tcp.DstPort == 443', OUTBOUND, big, gso)).toBe(true);
    expect(run('tcp.DstPort == 443', OUTBOUND, big)).toBe(false);
  });
});

describe('checksums that are not final', () => {
  const whole: BpfOptions = { ...OUTBOUND, superPackets: 'whole' };
  // TCP's are bytes 36 and 37 of this packet, UDP's 26 and 27 of the other.
  test.each<readonly [string, boolean, boolean]>([
    ['packet[35] == 0xee', false, false],
    ['packet[36] == 0xee', true, false],
    ['packet[37] == 0xee', true, false],
    ['packet[38] == 0xee', false, false],
    ['packet16[35b] == 0xee', true, false],
    ['packet32[33b] == 0xee', true, false],
    ['packet32[32b] == 0xee', false, false],
    ['packet[26] == 0xee', false, true],
    ['packet[-1] == 0xee', false, true],
    ['packet[-2] == 0xee', false, true],
    ['packet[-3] == 0xee', false, false],
  ])('%s: TCP %s, UDP %s', (filter, onTcp, onUdp) => {
    expect([run(filter, whole, web), run(filter, whole, dns)]).toEqual([onTcp, onUdp]);
  });

  test('a packet without one: its first bytes are known', () => {
    const short = ipv4({ protocol: 6 }, new Uint8Array(11));
    expect(run('packet[-31] == 0xee', whole, short)).toBe(false);
    expect(run('packet[-31] == 0x45', whole, short)).toBe(true);
    expect(run('packet32[-31b] == 0xee', whole, short)).toBe(false);
  });
});

test.each([MAX_EXTENSION_HEADERS - 1, MAX_EXTENSION_HEADERS, MAX_EXTENSION_HEADERS + 1])(
  '%i extension headers are followed, or may match',
  (count) => {
    const chain = Array.from({ length: count }, (_, at) =>
      extension(at + 1 < count ? 60 : 6, 0, 8),
    );
    const packet = ipv6({ nextHeader: 60 }, concat(...chain, tcp({ destinationPort: 443 })));
    expect(run('tcp.DstPort == 443', OUTBOUND, packet)).toBe(true);
    expect(run('tcp.DstPort == 80', OUTBOUND, packet)).toBe(count >= MAX_EXTENSION_HEADERS);
  },
);

test('only packets of the family match', () => {
  const of = (family: 4 | 6 | 'both') =>
    [web, web6].map((packet) => run('tcp', { ...OUTBOUND, family }, packet));
  expect(of(4)).toEqual([true, false]);
  expect(of(6)).toEqual([false, true]);
  expect(of('both')).toEqual([true, true]);
});

test('the caller says what a match returns, and may write its ends', () => {
  const value = compile('tcp', { ...OUTBOUND, matchValue: 7 });
  expect(runProgram(value.instructions, web)).toBe(7);
  const written = compile('tcp', {
    ...OUTBOUND,
    emitPrologue: (assembler) => {
      const go = assembler.newLabel('go');
      assembler.load('W', 1, 6, 8);
      assembler.jumpIf('JNE', 1, 0xaa, go);
      assembler.moveImmediate(0, 1);
      assembler.exit();
      assembler.label(go);
    },
    emitMatch: (assembler) => {
      assembler.load('W', 0, 6, 0);
      assembler.exit();
    },
  });
  expect(runProgram(written.instructions, web)).toBe(web.length);
  expect(runProgram(written.instructions, dns)).toBe(0);
  expect(runProgram(written.instructions, dns, { 8: 0xaa })).toBe(1);
});

describe('lists of constants', () => {
  const tests = (operator: string, glue: string, step: number): string =>
    Array.from({ length: 100 }, (_, at) => `tcp.DstPort ${operator} ${at * step + 1}`).join(glue);
  const swaps = (filter: string): number =>
    compile(filter, OUTBOUND).instructions.filter(({ opcode }) => opcode === 0xdc).length;

  test('load their field once', () => {
    expect(swaps(tests('==', ' or ', 2))).toBe(swaps('tcp.DstPort == 1'));
  });

  test('of neighbours are one range', () => {
    const one = compile('tcp.DstPort == 1', OUTBOUND).instructions.length;
    expect(compile(tests('==', ' or ', 1), OUTBOUND).instructions.length).toBeLessThan(one + 5);
  });

  test.each([0, 1, 2, 3, 99, 100, 101, 197, 198, 199, 200, 201, 65_535])('port %i', (port) => {
    const packet = ipv4({}, tcp({ destinationPort: port }));
    const isListed = port % 2 === 1 && port < 200;
    expect(run(tests('==', ' or ', 2), OUTBOUND, packet)).toBe(isListed);
    expect(run(tests('!=', ' and ', 2), OUTBOUND, packet)).toBe(!isListed);
  });

  test('without the header nothing of them is true', () => {
    const packet = ipv4({ protocol: 17 }, udp({}));
    expect(run(tests('==', ' or ', 2), OUTBOUND, packet)).toBe(false);
    expect(run(tests('!=', ' and ', 2), OUTBOUND, packet)).toBe(false);
    expect(run(`${tests('==', ' or ', 2)} or udp`, OUTBOUND, packet)).toBe(true);
  });
});

describe('a value is loaded again where its registers may hold another', () => {
  const from = (source: string, destination: string) =>
    ipv6({ source, destination }, tcp({ sourcePort: 1, destinationPort: 2 }));
  test.each<readonly [string, boolean]>([
    ['(tcp.SrcPort == 1 ? ipv6.SrcAddr == ::9 : ipv6.DstAddr == ::9) or ipv6.SrcAddr == ::1', true],
    ['(tcp.SrcPort == 1 ? ipv6.SrcAddr == ::9 : ipv6.DstAddr == ::9) or ipv6.DstAddr == ::2', true],
    ['(tcp.SrcPort == 5 ? ipv6.SrcAddr == ::9 : ipv6.DstAddr == ::9) or ipv6.SrcAddr == ::1', true],
    [
      '(tcp.SrcPort == 5 ? ipv6.SrcAddr == ::9 : ipv6.DstAddr == ::9) or ipv6.SrcAddr == ::2',
      false,
    ],
    ['(tcp.SrcPort == 1 ? tcp.SrcPort == 9 : tcp.DstPort == 9) or tcp.DstPort == 2', true],
    ['(tcp.SrcPort == 5 ? tcp.SrcPort == 9 : tcp.DstPort == 9) or tcp.SrcPort == 1', true],
    ['ipv6.SrcAddr == ::9 or packet[-1] == 9 or ipv6.SrcAddr == ::1', true],
    ['ipv6.SrcAddr == ::9 or packet[-1] != 9 and ipv6.SrcAddr == ::1', true],
    ['ipv6.SrcAddr == ::9 or packet[900] == 9 or ipv6.SrcAddr == ::1', true],
    ['ipv6.SrcAddr == ::9 or tcp.Payload[5] == 9 or ipv6.SrcAddr == ::1', true],
    ['ipv6.SrcAddr == ::9 or remoteAddr == ::9 or ipv6.SrcAddr == ::2', false],
  ])('%s: %s', (filter, expected) => {
    const whole: BpfOptions = { ...FINAL, family: 6 };
    expect(run(filter, whole, from('::1', '::2'))).toBe(expected);
  });
});

test('a graph with a label that leads nowhere is a RangeError', () => {
  const [first] = compileFilter('tcp', 'network').tests;
  expect(() => compileBpf([{ ...first!, success: 5 }], OUTBOUND)).toThrow(RangeError);
});
