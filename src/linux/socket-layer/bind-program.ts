/**
 * `bind` (`post_bind4`, `post_bind6`): the port is chosen and reserved; a blocked bind gives it back.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R10 } from '../../bpf/instruction.ts';
import { SOCKET_EVENT } from '../../packet/event-layout.ts';
import { SOCK } from '../bpf/contexts.ts';
import { emitFamily, emitIPv4Address, emitIPv6Address } from '../events/emit-address.ts';
import { emitRecordHead } from '../events/emit-record.ts';
import { emitBound } from './bound-port.ts';
import { RESULT, SOCKET_PROTOCOL } from './context.ts';
import { SOCKET_EVENT_NUMBER } from './event-number.ts';
import {
  CONTEXT,
  emitCookie,
  emitCurrentProcess,
  emitNamespaceCheck,
  emitProtocol,
  emitRememberUsed,
  emitSameFamily,
  emitState,
  recordAt,
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

/** @param ipv6 for `post_bind6` */
export function emitBind(assembler: Assembler, options: ProgramOptions, ipv6: boolean): void {
  const out = assembler.newLabel('out');
  const pass = assembler.newLabel('pass');
  const match = assembler.newLabel('match');
  const ending = endingOf(options);
  assembler.move(CONTEXT, R1);
  emitNamespaceCheck(assembler, options.namespaceCookie, out);
  emitRecordHead(assembler, headOf(options, 'bind', ending));
  emitProtocol(assembler, CONTEXT, SOCK.PROTOCOL, out);
  emitUnlessBlocked(assembler, options, out);
  emitLocal(assembler, ipv6);
  emitSameFamily(assembler, SOCKET_EVENT.LOCAL_ADDRESS, SOCKET_EVENT.REMOTE_ADDRESS);
  emitFamily(assembler, { local: true, remote: false });
  emitCookie(assembler);
  emitCurrentProcess(assembler, options.namesFd);
  emitState(assembler, options.stateFd, CONTEXT, true);
  emitRememberUsed(assembler);
  const facts = { event: SOCKET_EVENT_NUMBER.bind, outbound: false };
  emitFilter(assembler, options, facts, { match, reject: pass });
  assembler.label(match);
  emitDelivery(assembler, options, ending);
  if (ending === 'blocked') emitBlock(assembler, options);
  assembler.label(pass);
  if (options.tracksPorts) emitReceiving(assembler, options, out);
  assembler.label(out);
  emitResult(assembler, RESULT.PASS);
}

function emitLocal(assembler: Assembler, ipv6: boolean): void {
  const { LOCAL_ADDRESS, LOCAL_PORT } = SOCKET_EVENT;
  if (ipv6) emitIPv6Address(assembler, CONTEXT, SOCK.SRC_IP6, LOCAL_ADDRESS);
  else emitIPv4Address(assembler, CONTEXT, SOCK.SRC_IP4, LOCAL_ADDRESS);
  assembler.load('W', R0, CONTEXT, SOCK.SRC_PORT);
  assembler.store('H', R10, recordAt(LOCAL_PORT), R0);
}

/** Datagram sockets receive from now on, those of TCP only once they listen. */
function emitReceiving(assembler: Assembler, options: ProgramOptions, out: Label): void {
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, out);
  assembler.load('B', R0, R10, recordAt(SOCKET_EVENT.PROTOCOL));
  assembler.jumpIf('JNE', R0, SOCKET_PROTOCOL.UDP, out);
  emitBound(assembler, options, out);
}
