import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { formatListing } from '../../src/bpf/listing.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { type BpfOptions, compileBpf } from '../../src/filter/emit-bpf.ts';

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

test.each(GOLDEN)('%s: %s', async (file, filter, options) => {
  const program = compileBpf(compileFilter(filter, options.layer).tests, options);
  const reasons = program.inexact.map(({ field, reason }) => `; ${field}: ${reason}`);
  const head = [
    `; ${filter}`,
    `; ${JSON.stringify(options)}`,
    `; ${program.exact ? 'exact' : 'not exact'}`,
    ...reasons,
  ];
  const path = fileURLToPath(new URL(`../golden/bpf/${file}.txt`, import.meta.url));
  await expect(`${head.join('\n')}\n${formatListing(program)}`).toMatchFileSnapshot(path);
});
