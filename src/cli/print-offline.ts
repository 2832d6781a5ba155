import type { Filter } from '../filter/index.ts';
import { hexDump } from './hex-dump.ts';
import { newCounts, type OfflineCounts, type OfflineOptions, readOffline } from './offline.ts';
import { plural, print, styleFor, tell } from './output.ts';
import { formatPacketLine } from './packet-line.ts';

export interface PrintOfflineOptions extends OfflineOptions {
  readonly count?: number;
  readonly hex?: boolean;
  readonly signal?: AbortSignal;
}

/**
 * Prints the packets of a file that match, and a summary on standard error. The summary comes also
 * when the file turns out to be broken.
 */
export async function printOffline(filter: Filter, options: PrintOfflineOptions): Promise<void> {
  const counts = newCounts();
  const style = styleFor(process.stdout);
  let complete = false;
  try {
    for await (const packet of readOffline(filter, options, counts)) {
      if (options.signal?.aborted) break;
      if (!packet.matches) continue;
      print(formatPacketLine(packet.bytes, packet, style));
      if (options.hex) for (const line of hexDump(packet.bytes)) print(line);
      if (counts.matched === options.count) break;
    }
    complete = true;
  } finally {
    if (complete || counts.captured > 0) tellCounts(counts, options);
  }
}

function tellCounts(counts: OfflineCounts, options: PrintOfflineOptions): void {
  tell(`${plural(counts.captured, 'packet')} read, ${counts.matched} matched`);
  if (counts.notIp > 0) tell(`${counts.notIp} without an IP packet, passed over`);
  if (counts.incomplete > 0) tell(`${counts.incomplete} incomplete (cut short when captured)`);
  if (counts.directionAssumed > 0) {
    const direction = options.direction ?? 'outbound';
    tell(
      `${counts.directionAssumed} without a direction, taken as ${direction} (--direction says otherwise)`,
    );
  }
}
