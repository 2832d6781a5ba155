/**
 * The demo over the bundled capture: the same filters, no privileges, nothing changed.
 *
 * @module
 */

import { fileURLToPath } from 'node:url';
import { compileFilter } from '../../filter/index.ts';
import { newCounts, readOffline } from '../offline.ts';
import { plural, print, styleFor } from '../output.ts';
import { formatPacketLine } from '../packet-line.ts';
import { SCENES } from './scenes.ts';

const CAPTURE = new URL('../../../captures/demo.pcapng', import.meta.url);
const LINES_SHOWN = 4;

/** Shows for each scene which packets of the capture match and what would be done. */
export async function playOffline(reason: string, signal: AbortSignal): Promise<void> {
  const style = styleFor(process.stdout);
  print(style('bold', 'netdivert demo, over a capture file'));
  print(`Not on live traffic: ${reason}.`);
  print('The same filters run over captures/demo.pcapng; nothing is intercepted.');
  for (const [index, { title, filter, action }] of Object.values(SCENES).entries()) {
    signal.throwIfAborted();
    print();
    print(style('bold', `${index + 1}. ${title}`));
    print(`   filter  ${style('cyan', filter)}`);
    print(`   action  would ${action}`);
    await showMatches(filter);
  }
}

async function showMatches(filter: string): Promise<void> {
  const style = styleFor(process.stdout);
  const counts = newCounts();
  const file = fileURLToPath(CAPTURE);
  for await (const packet of readOffline(compileFilter(filter), { file }, counts)) {
    if (!packet.matches || counts.matched > LINES_SHOWN) continue;
    print(`   match   ${formatPacketLine(packet.bytes, packet, style)}`);
  }
  if (counts.matched > LINES_SHOWN) print(`           and ${counts.matched - LINES_SHOWN} more`);
  print(`   counts  ${counts.matched} of ${plural(counts.captured, 'packet')} matched`);
}
