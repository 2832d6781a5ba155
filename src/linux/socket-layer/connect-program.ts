/**
 * `connect` (`connect4`, `connect6`), before the kernel chooses the local end of a socket that has none.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R10 } from '../../bpf/instruction.ts';
import type { EventFacts } from '../../filter/emit-event-bpf.ts';
import { EVENT_NOTES, SOCKET_EVENT } from '../../packet/event-layout.ts';
import { SOCK, SOCK_ADDR } from '../bpf/contexts.ts';
import { emitFamily, emitIPv4Address, emitIPv6Address } from '../events/emit-address.ts';
import { emitRecordHead } from '../events/emit-record.ts';
import { RESULT, SOCKET_PROTOCOL } from './context.ts';
import { SOCKET_EVENT_NUMBER } from './event-number.ts';
import {
  CONTEXT,
  emitCookie,
  emitCurrentProcess,
  emitNamespaceCheck,
  emitNote,
  emitProtocol,
  emitRememberUsed,
  emitSameFamily,
  emitState,
  recordAt,
  SOCKET,
  SOCKET_STATE,
} from './frame.ts';
import { headOf } from './record-head.ts';
import {
  emitBlock,
  emitDelivery,
  emitFilter,
  emitResult,
  emitUnlessBlocked,
  endingOf,
  type ProgramOptions,
} from './report.ts';
import { STATE_NOTE } from './state.ts';

/** What is known of all records of such a program. */
export const CONNECT_FACTS: EventFacts = {
  event: SOCKET_EVENT_NUMBER.connect,
  outbound: true,
};

/** @param ipv6 for `connect6` */
export function emitConnect(assembler: Assembler, options: ProgramOptions, ipv6: boolean): void {
  const out = assembler.newLabel('out');
  const match = assembler.newLabel('match');
  const ending = endingOf(options);
  emitAddressRecord(assembler, options, ipv6, out);
  emitState(assembler, options.stateFd, SOCKET, true);
  emitRememberUsed(assembler);
  if (ending === 'sniffed') emitSniffed(assembler, options, { match, out });
  else emitFilter(assembler, options, CONNECT_FACTS, { match, reject: out });
  assembler.label(match);
  emitDelivery(assembler, options, ending);
  if (ending === 'blocked') emitBlock(assembler, options);
  assembler.label(out);
  emitResult(assembler, RESULT.PASS);
}

/** Takes the context and fills a record from it: who, from where, to where. */
export function emitAddressRecord(
  assembler: Assembler,
  options: ProgramOptions,
  ipv6: boolean,
  out: Label,
): void {
  assembler.move(CONTEXT, R1);
  emitNamespaceCheck(assembler, options.namespaceCookie, out);
  emitRecordHead(assembler, headOf(options, 'connect', endingOf(options)));
  emitProtocol(assembler, CONTEXT, SOCK_ADDR.PROTOCOL, out);
  emitUnlessBlocked(assembler, options, out);
  emitEnds(assembler, ipv6);
  emitFamily(assembler, { local: true, remote: true });
  emitCookie(assembler);
  emitCurrentProcess(assembler, options.namesFd);
}

function emitEnds(assembler: Assembler, ipv6: boolean): void {
  const { LOCAL_ADDRESS, REMOTE_ADDRESS, LOCAL_PORT, REMOTE_PORT } = SOCKET_EVENT;
  assembler.load('DW', SOCKET, CONTEXT, SOCK_ADDR.SK);
  if (ipv6) {
    emitIPv6Address(assembler, CONTEXT, SOCK_ADDR.USER_IP6, REMOTE_ADDRESS);
    emitIPv6Address(assembler, SOCKET, SOCK.SRC_IP6, LOCAL_ADDRESS);
    emitSameFamily(assembler, REMOTE_ADDRESS, LOCAL_ADDRESS);
  } else {
    emitIPv4Address(assembler, CONTEXT, SOCK_ADDR.USER_IP4, REMOTE_ADDRESS);
    emitIPv4Address(assembler, SOCKET, SOCK.SRC_IP4, LOCAL_ADDRESS);
  }
  assembler.load('W', R0, CONTEXT, SOCK_ADDR.USER_PORT);
  assembler.swapBigEndian(R0, 16);
  assembler.store('H', R10, recordAt(REMOTE_PORT), R0);
  assembler.load('W', R0, SOCKET, SOCK.SRC_PORT);
  assembler.store('H', R10, recordAt(LOCAL_PORT), R0);
}

/**
 * A sniffing handle reports TCP connects a little later, with their local end. That of a datagram socket
 * is completed in user space.
 */
function emitSniffed(
  assembler: Assembler,
  options: ProgramOptions,
  { match, out }: { readonly match: Label; readonly out: Label },
): void {
  const unknown = assembler.newLabel('local_unknown');
  const noState = assembler.newLabel();
  assembler.load('B', R0, R10, recordAt(SOCKET_EVENT.PROTOCOL));
  assembler.jumpIf('JNE', R0, SOCKET_PROTOCOL.UDP, out);
  assembler.load('H', R0, R10, recordAt(SOCKET_EVENT.LOCAL_PORT));
  assembler.jumpIf('JEQ', R0, 0, unknown);
  assembler.load('W', R0, R10, recordAt(SOCKET_EVENT.LOCAL_ADDRESS));
  assembler.jumpIf('JEQ', R0, 0, unknown);
  emitFilter(assembler, options, CONNECT_FACTS, { match, reject: out });
  assembler.label(unknown);
  assembler.storeImmediate('B', R10, recordAt(SOCKET_EVENT.NOTES), EVENT_NOTES.LOCAL_UNKNOWN);
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, noState);
  emitNote(assembler, STATE_NOTE.LOCAL_UNKNOWN);
  assembler.label(noState);
  emitFilter(assembler, options, CONNECT_FACTS, { match, reject: out, localUnknown: true });
}
