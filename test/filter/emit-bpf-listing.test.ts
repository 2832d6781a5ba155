import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { formatListing } from '../../src/bpf/listing.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { type BpfOptions, compileBpf } from '../../src/filter/emit-bpf.ts';
import { FilterSet } from '../../src/filter/extended/filter-set.ts';
import type { Filter } from '../../src/filter/filter.ts';
import { fixedProcess } from '../helpers/process-lookup.ts';

const OUTBOUND: BpfOptions = { layer: 'network', direction: 'outbound' };
const INBOUND: BpfOptions = { layer: 'network', direction: 'inbound' };
const FORWARD: BpfOptions = { layer: 'forward' };

/** One file each in `test/golden/bpf`: a change of what is emitted shows as a change of these. */
const GOLDEN: readonly (readonly [file: string, filter: string, options: BpfOptions])[] = [
  ['everything', 'true', OUTBOUND],
  ['nothing', 'inbound', OUTBOUND],
  ['one-port', 'tcp.DstPort == 443', OUTBOUND],
  ['one-port-ipv4', 'ip and tcp.DstPort == 443', { ...OUTBOUND, family: 4 }],
  ['one-port-inbound', 'inbound and tcp.DstPort == 443', INBOUND],
  ['ports-of-two-protocols', 'tcp.DstPort == 80 or udp.DstPort == 53', OUTBOUND],
  [
    'list-of-ports',
    'tcp.DstPort == 80 or tcp.DstPort == 443 or tcp.DstPort == 8080 or tcp.DstPort == 8443',
    OUTBOUND,
  ],
  [
    'long-list-of-ports',
    [53, 80, 81, 443, 8080, 8443, 9090].map((port) => `tcp.DstPort == ${port}`).join(' or '),
    OUTBOUND,
  ],
  [
    'excluded-ipv6-addresses',
    [1, 2, 5, 7, 11, 13].map((host) => `remoteAddr != 2001:db8::${host}`).join(' and '),
    OUTBOUND,
  ],
  ['range-of-addresses', 'ip.DstAddr >= 10.0.0.0 and ip.DstAddr <= 10.255.255.255', OUTBOUND],
  ['address-then-port', 'ip.SrcAddr == 10.0.0.1 and udp.SrcPort == 53', FORWARD],
  ['ipv6-addresses', 'ipv6.SrcAddr == fe80::1 or ipv6.SrcAddr >= ff00::', FORWARD],
  ['local-address', 'localAddr == 10.0.0.1 and localPort == 53', INBOUND],
  ['flags', 'tcp.Syn and not tcp.Ack', OUTBOUND],
  ['payload', 'tcp.Payload32[0] == 0x47455420 or udp.Payload[-1] == 0', OUTBOUND],
  ['packet-bytes', 'packet[9] == 17 and packet16[22b] == 53', OUTBOUND],
  ['ternary', '(ip? ip.TTL < 5: ipv6.HopLimit < 5)', FORWARD],
  ['fragments', 'fragment or protocol == 50', INBOUND],
  ['interface', 'ifIdx == 3 and tcp', FORWARD],
  ['unknown', 'ifIdx == 3 and tcp or timestamp > 5 and udp', OUTBOUND],
  ['whole-super-packets', 'length > 1500', { ...OUTBOUND, superPackets: 'whole' }],
];

const blocked = new FilterSet();
/** Filters of the extended dialect; the file descriptors of the maps are 5 and 6. */
const WITH_MAPS: BpfOptions = {
  ...INBOUND,
  sets: new Map([[blocked, { values: 5, prefixes: 6 }]]),
  process: fixedProcess({}),
};
const EXTENDED_GOLDEN: readonly (readonly [file: string, filter: string, options: BpfOptions])[] = [
  ['negation', 'not (tcp.DstPort == 80 or udp)', OUTBOUND],
  ['mask', 'tcp.Window & 0xff00 == 0x1200 or packet[0] & 0xf', OUTBOUND],
  ['address-mask', 'remoteAddr & 255.0.0.255 == 10.0.0.1', INBOUND],
  ['port-set', 'tcp.DstPort in { 1, 3, 5, 7, 9, 11, 13..20, 80, 443 }', OUTBOUND],
  ['named-set', 'ip.SrcAddr in @blocked', WITH_MAPS],
  ['named-set-without-maps', 'ip.SrcAddr in @blocked', INBOUND],
  ['process', 'tcp and processName == "curl" and userId != 0', WITH_MAPS],
];

test.each(GOLDEN)('%s: %s', async (file, filter, options) => {
  await expectListing(file, filter, options, compileFilter(filter, options.layer));
});

test.each(EXTENDED_GOLDEN)('%s: %s', async (file, filter, options) => {
  const dialect = { dialect: 'extended', sets: { blocked } } as const;
  await expectListing(
    `extended-${file}`,
    filter,
    options,
    compileFilter(filter, options.layer, dialect),
  );
});

async function expectListing(
  file: string,
  filter: string,
  options: BpfOptions,
  { tests }: Filter,
): Promise<void> {
  const program = compileBpf(tests, options);
  const { sets: _, process: __, ...plain } = options;
  const reasons = program.inexact.map(({ field, reason }) => `; ${field}: ${reason}`);
  const head = [
    `; ${filter}`,
    `; ${JSON.stringify(plain)}`,
    `; ${program.exact ? 'exact' : 'not exact'}`,
    ...reasons,
  ];
  const path = fileURLToPath(new URL(`../golden/bpf/${file}.txt`, import.meta.url));
  await expect(`${head.join('\n')}\n${formatListing(program)}`).toMatchFileSnapshot(path);
}
