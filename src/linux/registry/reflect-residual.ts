/**
 * The exact check of handle records whose program could not decide the filter: it may not look into sets. Programs of
 * its type can sleep, and the kernel frees nodes of a trie of prefixes without waiting for those.
 *
 * @module
 */
import { compileMatcher } from '../../filter/emit-js.ts';
import type { Filter } from '../../filter/index.ts';
import { MATCH, MatchInput } from '../../filter/match-input.ts';
import { EVENT_RECORD, REFLECT_EVENT } from '../../packet/event-layout.ts';
import type { Residual } from '../events/event-ring.ts';

const WORD_BYTES = 4;

/** A filter of the reflect layer, in user space. */
export function createReflectResidual({ tests, layer }: Filter): Residual {
  const matcher = compileMatcher(tests, layer);
  const input = new MatchInput();
  return (record) => {
    input.event = record.getUint8(EVENT_RECORD.EVENT);
    input.timestampLow = record.getUint32(EVENT_RECORD.TIMESTAMP, true);
    input.timestampHigh = record.getUint32(EVENT_RECORD.TIMESTAMP + WORD_BYTES, true);
    input.processId = record.getUint32(REFLECT_EVENT.PROCESS_ID, true);
    input.handleLayer = record.getUint32(REFLECT_EVENT.HANDLE_LAYER, true);
    input.priority = record.getInt16(REFLECT_EVENT.PRIORITY, true);
    return matcher(input) === MATCH.YES;
  };
}
