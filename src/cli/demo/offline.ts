/**
 * The demo over the bundled capture: the same filters, no privileges, nothing changed.
 *
 * @module
 */

import { fileURLToPath } from 'node:url';
import { compileFilter } from '../../filter/index.ts';
import { newCounts, readOffline } from '../offline.ts';
import { plural, print, styleFor } from '../output.ts';
import { packageFile } from '../package-file.ts';
import { formatPacketLine } from '../packet-line.ts';
import { payloadOf, SCENES, type Scene } from './scenes.ts';

const CAPTURE = packageFile('captures/demo.pcapng');
const LINES_SHOWN = 5;

/** Shows for each scene which packets of the capture match and what would be done. */
export async function playOffline(reason: string, signal: AbortSignal): Promise<void> {
  const style = styleFor(process.stdout);
  print(style('bold', 'netdivert demo, over a capture file'));
  print(`Not on live traffic: ${reason}.`);
  print('The same filters run over captures/demo.pcapng; nothing is intercepted.');
  for (const [index, scene] of Object.values(SCENES).entries()) {
    const { title, filter, action } = scene;
    signal.throwIfAborted();
    print();
    print(style('bold', `${index + 1}. ${title}`));
    print(`   filter  ${style('cyan', filter)}`);
    print(`   action  would ${action}`);
    await showMatches(scene);
  }
}

async function showMatches({ filter, effect }: Scene): Promise<void> {
  const style = styleFor(process.stdout);
  const counts = newCounts();
  const file = fileURLToPath(CAPTURE);
  let shown = 0;
  for await (const packet of readOffline(compileFilter(filter), { file }, counts)) {
    if (!packet.matches) continue;
    const { bytes, direction } = packet;
    const payload = payloadOf(bytes);
    // Packets that only carry acknowledgements would fill the screen.
    if (payload.length === 0 || shown === LINES_SHOWN) continue;
    shown++;
    const would = effect(payload, direction === 'outbound');
    print(`   match   ${formatPacketLine(bytes, packet, style)}`);
    if (would !== null) print(`           ${style('yellow', `would be ${would}`)}`);
  }
  print(`   counts  ${counts.matched} of ${plural(counts.captured, 'packet')} matched`);
}
