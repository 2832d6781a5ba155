/** Parsing, checksums, hash and changes of packets in memory. */

import { compile } from '../harness/native.ts';
import type { Contestant, Figures, Workload } from '../harness/workload.ts';
import { machineFactor, runHelpers, WINDIVERT } from './filter.ts';
import { runProgram } from './programs.ts';

/** The C program's names for what `programs/packet.ts` measures. */
const NAMES: Readonly<Record<string, string>> = {
  parse: 'parsePacket',
  checksums: 'calcChecksums, 1500 bytes',
  hash: 'hashPacket',
};

const missing = (): string => compile('helpers');
const named = (figures: Figures): Figures =>
  Object.fromEntries(Object.entries(NAMES).map(([name, own]) => [own, figures[name]]));

const WINDIVERT_SCALED: Contestant = {
  name: 'WinDivert, scaled',
  missing,
  run: (options) => {
    const factor = machineFactor(runHelpers(options));
    const scaled = Object.entries(WINDIVERT.helpers).map(([name, ns]) => [name, ns * factor]);
    return named(Object.fromEntries(scaled));
  },
};

const NATIVE: Contestant = {
  name: 'C',
  always: true,
  missing,
  run: (options) => named(runHelpers(options)),
};

export const PACKET_WORKLOAD: Workload = {
  name: 'packet',
  title: 'Packets in memory: the helpers beside the same in C, and the views',
  baseline: WINDIVERT_SCALED.name,
  measures: { '*': { unit: 'ns', digits: 1 } },
  contestants: [
    { name: 'netdivert', run: (options) => runProgram('packet', [], options) },
    WINDIVERT_SCALED,
    NATIVE,
  ],
};
