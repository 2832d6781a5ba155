/** Parsing, checksums, hash and changes of packets in memory. */

import { compile } from '../harness/native.ts';
import type { Contestant, Workload } from '../harness/workload.ts';
import { helperInput } from './filter.ts';
import { runNative, runProgram } from './programs.ts';

const CALLS = 1_000_000;
/** The C program's names for what `programs/packet.ts` measures. */
const NAMES: Readonly<Record<string, string>> = {
  parse: 'parsePacket',
  checksums: 'calcChecksums, 1500 bytes',
  hash: 'hashPacket',
};

const NATIVE: Contestant = {
  name: 'C',
  missing: () => compile('helpers'),
  run: (options) => {
    const figures = runNative('helpers', CALLS, helperInput(), options);
    return Object.fromEntries(Object.entries(NAMES).map(([name, own]) => [own, figures[name]]));
  },
};

export const PACKET_WORKLOAD: Workload = {
  name: 'packet',
  title: 'Packets in memory: the helpers beside the same in C, and the views',
  baseline: NATIVE.name,
  measures: { '*': { unit: 'ns', digits: 1 } },
  contestants: [{ name: 'netdivert', run: (options) => runProgram('packet', [], options) }, NATIVE],
};
