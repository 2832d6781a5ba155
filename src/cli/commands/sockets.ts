import type { SocketEvent } from '../../divert/event.ts';
import { compileFilter } from '../../filter/index.ts';
import { endpointRecord, formatEndpointEvent } from '../events/event-line.ts';
import { followEvents } from '../events/event-run.ts';
import { printSocketTable } from '../events/socket-table.ts';
import { UsageError } from '../exit-code.ts';
import type { TrafficOptions } from '../traffic.ts';

export interface SocketsOptions extends TrafficOptions {
  readonly follow?: boolean;
  readonly block?: boolean;
}

/**
 * `netdivert sockets`: the sockets there are now, or with `--follow` what programs do with sockets; with
 * `--block` they may not.
 *
 * @throws UsageError when everything would be blocked
 */
export async function sockets(text: string, options: SocketsOptions): Promise<number> {
  const { block, dialect, follow } = options;
  if (block && text === 'true' && options.process === undefined) {
    throw new UsageError("--block needs a filter; 'true' in several words blocks every program");
  }
  if (!follow && !block) {
    const filter = compileFilter(text, 'socket', { dialect });
    return printSocketTable(filter, options, () => true);
  }
  return await followEvents<SocketEvent>(text, options, {
    layer: 'socket',
    what: block ? 'socket operations, which are blocked' : 'socket operations',
    open: { mode: block ? 'divert' : 'sniff' },
    format: formatEndpointEvent,
    record: endpointRecord,
  });
}
