/**
 * Programs of handles on the network layers load without CAP_PERFMON. The verifier then follows branches that are never
 * taken too, as processors do for a moment, and up to Linux 6.16 refuses what could go wrong there.
 */

import { expect, test } from 'vitest';
import { FilterError } from '../../src/errors.ts';
import { compileFilter } from '../../src/filter/compile.ts';
import { type BpfOptions, compileBpf } from '../../src/filter/emit-bpf.ts';
import { verifyProgram } from '../../src/linux/bpf/program.ts';
import { Random } from '../helpers/random.ts';
import { randomFilter } from '../helpers/random-filter.ts';
import { withoutCapabilities } from '../helpers/without-capabilities.ts';

const HOOKS: readonly BpfOptions[] = [
  { layer: 'network', direction: 'outbound' },
  { layer: 'network', direction: 'inbound', checksums: 'final' },
  { layer: 'forward', superPackets: 'whole' },
];
const RANDOM_FILTERS = 300;

/** Of the layers that have all fields of the filter. */
function verify(text: string, hooks: readonly BpfOptions[]): void {
  for (const hook of hooks) {
    const { tests } = compileFilter(text, hook.layer);
    const { instructions } = compileBpf(tests, { ...hook, speculation: true });
    withoutCapabilities(['CAP_PERFMON', 'CAP_SYS_ADMIN'], () =>
      verifyProgram(instructions, { name: 'no_perfmon' }),
    );
  }
}

test.each([
  'true',
  'udp.DstPort == 5900',
  'tcp.DstPort == 443 or udp.DstPort == 53',
  'tcp.Syn and not tcp.Ack',
  'icmp.Type == 8 or icmpv6.Type == 128 or tcp.PayloadLength > 0',
  'ip.SrcAddr == 10.0.0.1 or ipv6.SrcAddr != ::1',
  'udp.Payload32[0] == 1 or tcp.Payload[-1] == 2 or packet32[3] == 7',
])('%s', (text) => verify(text, HOOKS));

test.each([
  'localPort == 22 and remoteAddr != ::1',
  'protocol == 6 and tcp.Checksum != 0 or udp.Checksum == 0 or fragment',
])('%s', (text) =>
  verify(
    text,
    HOOKS.filter(({ layer }) => layer === 'network'),
  ),
);

test.each(HOOKS)(`${RANDOM_FILTERS} random filters: %o`, (hook) => {
  const random = new Random();
  let verified = 0;
  for (let count = 0; count < RANDOM_FILTERS; count++) {
    const text = randomFilter(random, hook.layer, () => null);
    try {
      verify(text, [hook]);
      verified++;
    } catch (error) {
      if (error instanceof FilterError) continue;
      throw new Error(`SEED=${random.seed}: ${text}: ${String(error)}`, { cause: error });
    }
  }
  expect(verified).toBeGreaterThan(RANDOM_FILTERS / 2);
});
