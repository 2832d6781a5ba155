/** Checks that the kernel's verifier takes the programs of filters. */

import { readFileSync } from 'node:fs';
import { compileFilter } from '../../dist/filter/compile.js';
import { compileBpf } from '../../dist/filter/emit-bpf.js';
import { verifyProgram } from '../../dist/linux/bpf/program.js';
import { check } from './check.mjs';

const REAL_FILTERS = new URL('../vectors/real-filters.json', import.meta.url);

const HOOKS = {
  network: [
    { layer: 'network', direction: 'outbound' },
    { layer: 'network', direction: 'inbound' },
  ],
  forward: [{ layer: 'forward' }],
};

/** Tests in one filter: the most that an object string holds. */
const MOST_TESTS = 255;
const each = (write) => Array.from({ length: MOST_TESTS }, (_, at) => write(at));
/** As many with an index as the 1277 tokens of a filter hold. */
const some = (write) => each(write).slice(0, 150);

/** The longest filters there are: every test in them is one more branch to verify. */
const LONG_FILTERS = {
  'list of ports': each((at) => `tcp.DstPort == ${at}`).join(' or '),
  'list of addresses': each((at) => `ipv6.SrcAddr == fe80::${at}`).join(' or '),
  'payload bytes, all': some((at) => `tcp.Payload[${at}] != 1`).join(' and '),
  'payload bytes, any': some((at) => `udp.Payload[-${at + 1}] == 1`).join(' or '),
  'fields in turn': each((at) => ['tcp.SrcPort', 'ip.TTL', 'udp.DstPort', 'ipv6.HopLimit'][at % 4])
    .map((field, at) => `${field} > ${at % 200}`)
    .join(' or '),
  'nested ternaries': Array.from({ length: 75 }).reduce(
    (inner, _, at) => `(tcp.SrcPort > ${at} ? udp.Payload[${at}] == 1 : ${inner})`,
    'icmp',
  ),
};

/** Loads a filter's program for every hook; returns the most instructions the verifier processed. */
function load(text, layer) {
  const { tests } = compileFilter(text, layer);
  const counts = HOOKS[layer].map((hook) => {
    const { instructions } = compileBpf(tests, hook);
    return verifyProgram(instructions, { name: 'smoke' }).processedInstructions;
  });
  return Math.max(...counts);
}

function loadRealFilters() {
  const vectors = JSON.parse(readFileSync(REAL_FILTERS, 'utf8'));
  const inKernel = vectors.filter(({ layer }) => layer in HOOKS);
  const refused = [];
  let most = 0;
  for (const { filter, layer } of inKernel) {
    try {
      most = Math.max(most, load(filter, layer));
    } catch (error) {
      refused.push(`${layer} ${filter}: ${error.message}`);
    }
  }
  if (refused.length === 0) return `${inKernel.length} filters, at most ${most} instructions`;
  throw new Error(`${refused.length} of ${inKernel.length} refused\n${refused.join('\n')}`);
}

export async function checkFilters() {
  await check('filters of real programs load', async () => loadRealFilters());
  for (const [name, text] of Object.entries(LONG_FILTERS)) {
    await check(`the longest filter loads: ${name}`, async () => {
      return `${load(text, 'network')} instructions`;
    });
  }
}
