/**
 * A filter on records in user space: of events that no program saw, or not whole.
 *
 * @module
 */
import { fillFromSocketEvent } from '../../divert/event-record.ts';
import { compileMatcher } from '../../filter/emit-js.ts';
import type { Filter } from '../../filter/index.ts';
import { MATCH, MatchInput } from '../../filter/match-input.ts';
import type { Residual } from './event-ring.ts';

/** A filter of the flow or socket layer, in user space. */
export function createResidual({ tests, layer }: Filter): Residual {
  const matcher = compileMatcher(tests, layer);
  const input = new MatchInput();
  return (record) => {
    fillFromSocketEvent(input, record);
    return matcher(input) === MATCH.YES;
  };
}
