/**
 * Datagrams sent by sockets that are not connected (`sendmsg4`, `sendmsg6`): the first one to a
 * remote end is its `connect`. Replies to what came from there are not.
 *
 * @module
 */
import type { Assembler, Label } from '../../bpf/assembler.ts';
import { R0, R1, R2, R10 } from '../../bpf/instruction.ts';
import { ADDRESS_FLAGS } from '../../packet/address.ts';
import { SOCKET_EVENT } from '../../packet/event-layout.ts';
import { SOCK, SOCK_ADDR, TCP_STATE } from '../bpf/contexts.ts';
import { CONNECT_FACTS, emitAddressRecord } from './connect-program.ts';
import { RESULT } from './context.ts';
import { emitFlow, emitFlowKind } from './datagram-flow.ts';
import {
  CONTEXT,
  emitRememberUsed,
  emitState,
  recordAt,
  SOCKET,
  SOCKET_STATE,
  SPARE,
} from './frame.ts';
import {
  emitBlock,
  emitDelivery,
  emitFilter,
  emitResult,
  endingOf,
  type ProgramOptions,
} from './report.ts';
import { FLOW_KIND, STATE, STATE_NOTE } from './state.ts';

const ADDRESS_WORDS = 4;
const WORD_BYTES = 4;

/** @param ipv6 for `sendmsg6` */
export function emitSend(assembler: Assembler, options: ProgramOptions, ipv6: boolean): void {
  const out = assembler.newLabel('out');
  const fresh = assembler.newLabel('fresh');
  const pass = assembler.newLabel('pass');
  const match = assembler.newLabel('match');
  const ending = endingOf(options);
  emitAddressRecord(assembler, options, ipv6, out);
  emitUnlessConnected(assembler, ipv6, out);
  emitUse(assembler, options);
  assembler.moveImmediate(SPARE, 0);
  emitFlowKind(assembler, options, fresh);
  assembler.move(SPARE, R0);
  assembler.jumpIf('JEQ', SPARE, FLOW_KIND.ACCEPTED, out);
  if (ending === 'sniffed') assembler.jump(out);
  assembler.label(fresh);
  if (ending === 'sniffed') emitFlow(assembler, options, FLOW_KIND.SENT);
  emitFilter(assembler, options, CONNECT_FACTS, { match, reject: pass });
  assembler.label(match);
  if (ending === 'blocked') emitRefusal(assembler, options);
  else emitDelivery(assembler, options, ending);
  assembler.label(pass);
  if (ending === 'blocked') emitFlow(assembler, options, FLOW_KIND.SENT);
  assembler.label(out);
  emitResult(assembler, RESULT.PASS);
}

/** Reported once, refused each time. */
function emitRefusal(assembler: Assembler, options: ProgramOptions): void {
  const known = assembler.newLabel('reported_before');
  assembler.jumpIf('JEQ', SPARE, FLOW_KIND.REFUSED, known);
  emitDelivery(assembler, options, 'blocked');
  emitFlow(assembler, options, FLOW_KIND.REFUSED);
  assembler.label(known);
  emitBlock(assembler, options);
}

/** A socket that was not used before is from now on; it has no remote end of its own. */
function emitUse(assembler: Assembler, options: ProgramOptions): void {
  const done = assembler.newLabel();
  emitState(assembler, options.stateFd, SOCKET, true);
  assembler.jumpIf64('JEQ', SOCKET_STATE, 0, done);
  assembler.load('W', R1, SOCKET_STATE, STATE.NOTES);
  assembler.jumpIf('JSET', R1, STATE_NOTE.USED, done);
  emitRememberUsed(assembler);
  const { REMOTE_ADDRESS, REMOTE_PORT } = STATE;
  assembler.storeImmediate('W', SOCKET_STATE, REMOTE_ADDRESS, 0);
  for (const word of [2, 3]) {
    assembler.storeImmediate('W', SOCKET_STATE, REMOTE_ADDRESS + word * WORD_BYTES, 0);
  }
  // IPv4 stays IPv4: `::ffff:0.0.0.0`.
  assembler.load('W', R1, R10, recordAt(SOCKET_EVENT.LOCAL_ADDRESS) + WORD_BYTES);
  assembler.store('W', SOCKET_STATE, REMOTE_ADDRESS + WORD_BYTES, R1);
  assembler.storeImmediate('H', SOCKET_STATE, REMOTE_PORT, 0);
  assembler.load('B', R1, SOCKET_STATE, STATE.FLAGS);
  assembler.alu('AND', R1, ~ADDRESS_FLAGS.LOOPBACK);
  assembler.store('B', SOCKET_STATE, STATE.FLAGS, R1);
  assembler.label(done);
}

/** Leaves when the socket is connected to that very end: what an IPv6 socket sends to IPv4 comes here too. */
function emitUnlessConnected(assembler: Assembler, ipv6: boolean, connected: Label): void {
  const other = assembler.newLabel();
  const words = ipv6 ? ADDRESS_WORDS : 1;
  const inSocket = ipv6 ? SOCK.DST_IP6 : SOCK.DST_IP4;
  const inContext = ipv6 ? SOCK_ADDR.USER_IP6 : SOCK_ADDR.USER_IP4;
  assembler.load('W', R1, SOCKET, SOCK.STATE);
  assembler.jumpIf('JNE', R1, TCP_STATE.ESTABLISHED, other);
  assembler.load('H', R1, SOCKET, SOCK.DST_PORT);
  assembler.swapBigEndian(R1, 16);
  assembler.load('H', R2, R10, recordAt(SOCKET_EVENT.REMOTE_PORT));
  assembler.jumpIfRegister('JNE', R1, R2, other);
  for (let word = 0; word < words; word++) {
    assembler.load('W', R1, SOCKET, inSocket + word * WORD_BYTES);
    assembler.load('W', R2, CONTEXT, inContext + word * WORD_BYTES);
    assembler.jumpIfRegister('JNE', R1, R2, other);
  }
  assembler.jump(connected);
  assembler.label(other);
}
