/**
 * Nanoseconds per call of compiling, printing and evaluating filters, as JSON lines: the best of seven
 * runs over a mix of eight packets, or one short run with `--once`. Needs type stripping (Node 22.18) or a
 * compiled copy.
 *
 * @module
 */

import { compileFilter } from '../src/filter/compile.ts';
import { compileMatcher } from '../src/filter/emit-js.ts';
import { createInterpreter } from '../src/filter/interpret.ts';
import { MATCH, type Matcher, MatchInput } from '../src/filter/match-input.ts';
import { ADDRESS_FLAGS, type AddressInit } from '../src/packet/address.ts';
import { icmp, ipv4, ipv6, tcp, text, udp } from '../test/helpers/build-packet.ts';

const once = process.argv.includes('--once');
const SLOT = 2048;
const UDP = 17;

const FILTERS: Readonly<Record<string, string>> = {
  port: 'tcp.DstPort == 443 and outbound',
  ports: 'outbound and (tcp.DstPort == 80 or udp.DstPort == 53)',
  'list of 60': Array.from({ length: 60 }, (_, at) => `ip.DstAddr == 10.0.${at}.${at * 3}`).join(
    ' or ',
  ),
  payload: 'tcp.PayloadLength > 0 and tcp.Payload32[0] == 0x47455420',
  'ends of IPv6': 'remoteAddr == 2001:db8:ffff::7 and remotePort == 443',
  random: 'random16 < 100',
};

const MIX: readonly Uint8Array[] = [
  ipv4({}, tcp({ flags: 0x02 })),
  ipv4({}, tcp({ destinationPort: 80 }, text('GET / HTTP/1.1\r\nHost: www.example.com\r\n\r\n'))),
  ipv4({ protocol: UDP }, udp({}, new Uint8Array(30))),
  ipv4({ protocol: 1 }, icmp({}, new Uint8Array(56))),
  ipv6({}, tcp({}, new Uint8Array(100))),
  ipv6({ nextHeader: UDP }, udp({}, new Uint8Array(40))),
  ipv4({}, tcp({}, new Uint8Array(1460))),
  ipv4({ protocol: UDP, fragment: 0x00b9 }, new Uint8Array(500)),
];

const isIPv6 = (packet: Uint8Array): boolean => (packet[0] ?? 0) >> 4 === 6;
const addresses: readonly AddressInit[] = MIX.map((packet) => ({
  layer: 'network',
  event: 'packet',
  timestamp: 123_456_789n,
  sniffed: false,
  outbound: true,
  loopback: false,
  impostor: false,
  ipv6: isIPv6(packet),
  interfaceIndex: 2,
  subInterfaceIndex: 0,
}));
const flags = MIX.map(
  (packet) => ADDRESS_FLAGS.OUTBOUND | (isIPv6(packet) ? ADDRESS_FLAGS.IPV6 : 0),
);
const lengths = MIX.map((packet) => packet.length);
const memory = new Uint8Array(MIX.length * SLOT);
MIX.forEach((packet, at) => {
  memory.set(packet, at * SLOT);
});

function measure(name: string, calls: number, body: (index: number) => void): void {
  const count = once ? 10 : calls;
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < (once ? 1 : 7); run++) {
    const start = process.hrtime.bigint();
    for (let index = 0; index < count; index++) body(index);
    best = Math.min(best, Number(process.hrtime.bigint() - start) / count);
  }
  console.log(JSON.stringify({ bench: name, nanoseconds: Number(best.toFixed(1)) }));
}

/** Packets in one large memory, as a queue delivers them. */
function inPlace(matcher: Matcher): (index: number) => void {
  const input = new MatchInput();
  input.memory = memory;
  return (index) => {
    const at = index & 7;
    input.offset = at * SLOT;
    input.length = lengths[at] ?? 0;
    input.flags = flags[at] ?? 0;
    if (matcher(input) === MATCH.INVALID) throw new Error('the mix has an invalid packet');
  };
}

for (const [name, source] of Object.entries(FILTERS)) {
  const filter = compileFilter(source);
  measure(`${name}: generated`, 2_000_000, inPlace(compileMatcher(filter.tests, 'network')));
  measure(`${name}: interpreted`, 200_000, inPlace(createInterpreter(filter.tests, 'network')));
  measure(`${name}: Filter.matches`, 1_000_000, (index) => {
    filter.matches(MIX[index & 7] ?? memory, addresses[index & 7] ?? {});
  });
  measure(`${name}: compile`, 2_000, () => void compileFilter(source));
  measure(`${name}: generate`, 500, () => void compileMatcher(filter.tests, 'network'));
  measure(`${name}: format`, 2_000, () => void filter.format());
}
