/**
 * How records of the socket layer begin.
 *
 * @module
 */
import { ADDRESS_FLAGS } from '../../packet/address.ts';
import type { RecordHead } from '../events/emit-record.ts';
import { SOCKET_EVENT_NUMBER, type SocketEventName } from './event-number.ts';
import type { Ending, ProgramOptions } from './report.ts';

/**
 * @param event the record's
 * @param ending what happens when it matches
 */
export function headOf(
  options: ProgramOptions,
  event: SocketEventName,
  ending: Ending,
): RecordHead {
  const { SNIFFED, OUTBOUND } = ADDRESS_FLAGS;
  const flags = (ending === 'sniffed' ? SNIFFED : 0) | (event === 'connect' ? OUTBOUND : 0);
  const { generation } = options;
  return { layer: 'socket', event: SOCKET_EVENT_NUMBER[event], flags, generation };
}
