/**
 * A table of the sockets there are.
 *
 * @module
 */

import type { Filter } from '../../filter/index.ts';
import { IPPROTO } from '../../packet/layout.ts';
import { EXIT } from '../exit-code.ts';
import { printJson } from '../json.ts';
import { formatTable, plural, print, styleFor, tell } from '../output.ts';
import { safeText } from '../packet-line.ts';
import { listSockets, type SocketEntry } from '../proc/socket-list.ts';
import { checkProcesses } from '../process-check.ts';
import { matchesProcess } from '../process-spec.ts';
import { namespacePath, type TrafficOptions } from '../traffic.ts';
import { formatEnd } from './event-line.ts';

/**
 * Prints the sockets that match.
 *
 * @param isShown - chooses among them
 * @returns the exit code
 */
export function printSocketTable(
  filter: Filter,
  options: TrafficOptions,
  isShown: (socket: SocketEntry) => boolean,
): number {
  const { count, json, namespace, process: spec } = options;
  if (spec !== undefined) checkProcesses(spec);
  const path = namespace === undefined ? undefined : namespacePath(namespace);
  const found = listSockets(path)
    .filter((socket) => isShown(socket) && matches(filter, socket))
    .filter(({ process }) => spec === undefined || matchesProcess(process, spec))
    .slice(0, count);
  if (json) for (const socket of found) printJson({ type: 'socket-entry', ...socket });
  else printTable(found);
  if (found.some(({ process, state }) => process === null && state !== 'time-wait')) {
    tell('some processes are not visible here: those of other users, or outside this container');
  }
  return EXIT.OK;
}

function printTable(sockets: readonly SocketEntry[]): void {
  if (sockets.length === 0) {
    tell('none');
    return;
  }
  const rows = sockets.map((socket) => [
    socket.protocol,
    socket.state,
    formatEnd(socket.localAddress, socket.localPort),
    formatEnd(socket.remoteAddress, socket.remotePort),
    socket.process === null ? '-' : `${safeText(socket.process.name)}[${socket.process.pid}]`,
  ]);
  const style = styleFor(process.stdout);
  const [header = '', ...lines] = formatTable([
    ['proto', 'state', 'local', 'remote', 'process'],
    ...rows,
  ]);
  print(style('dim', header));
  for (const line of lines) print(line);
  tell(plural(sockets.length, 'socket'));
}

function matches(filter: Filter, socket: SocketEntry): boolean {
  const { ipv6, localAddress, localPort, protocol, remoteAddress, remotePort, state } = socket;
  const event = state === 'listening' ? 'listen' : 'connect';
  return filter.matches(null, {
    layer: filter.layer,
    event: filter.layer === 'flow' ? 'established' : event,
    processId: socket.process?.pid ?? 0,
    processName: socket.process?.name ?? '',
    userId: socket.userId,
    protocol: IPPROTO[protocol === 'tcp' ? 'TCP' : 'UDP'],
    ipv6,
    localAddress,
    localPort,
    remoteAddress,
    remotePort,
    outbound: state !== 'listening',
    loopback: localAddress === remoteAddress,
  });
}
