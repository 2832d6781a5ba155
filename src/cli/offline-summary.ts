import type { OfflineCounts } from './offline.ts';
import { plural, tell } from './output.ts';

/** Says on standard error what was in a file. */
export function tellOfflineCounts(
  counts: OfflineCounts,
  direction: 'inbound' | 'outbound' = 'outbound',
): void {
  tell(`${plural(counts.captured, 'packet')} read, ${counts.matched} matched`);
  if (counts.notIp > 0) tell(`${counts.notIp} without an IP packet, passed over`);
  if (counts.incomplete > 0) tell(`${counts.incomplete} incomplete (cut short when captured)`);
  if (counts.directionAssumed > 0) {
    tell(
      `${counts.directionAssumed} without a direction, taken as ${direction} (--direction says otherwise)`,
    );
  }
}
