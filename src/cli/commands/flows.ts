import type { FlowEvent } from '../../divert/event.ts';
import { compileFilter } from '../../filter/index.ts';
import { endpointRecord, formatEndpointEvent } from '../events/event-line.ts';
import { followEvents } from '../events/event-run.ts';
import { printSocketTable } from '../events/socket-table.ts';
import type { TrafficOptions } from '../traffic.ts';

export interface FlowsOptions extends TrafficOptions {
  readonly follow?: boolean;
  /** Milliseconds. */
  readonly flowTimeout?: number;
}

/**
 * `netdivert flows`: the connections there are now, or with `--follow` those that begin and end, with
 * their processes.
 */
export async function flows(text: string, options: FlowsOptions): Promise<number> {
  const { dialect, flowTimeout, follow } = options;
  if (!follow) {
    const filter = compileFilter(text, 'flow', { dialect });
    return printSocketTable(filter, options, ({ remotePort }) => remotePort !== 0);
  }
  return await followEvents<FlowEvent>(text, options, {
    layer: 'flow',
    what: 'flows',
    open: flowTimeout === undefined ? {} : { flowTimeoutMs: flowTimeout },
    format: formatEndpointEvent,
    record: endpointRecord,
  });
}
