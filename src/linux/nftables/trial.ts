/**
 * Rules that are tried out in a chain that no hook calls: taking back a change with a hook in it would cost every queue of
 * the namespace its packets.
 *
 * @module
 */
import { NetlinkError } from '../../errors.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import { ERRNO } from '../sys/constants.ts';
import type { Expression } from './expression.ts';
import { Transaction } from './transaction.ts';

/** Where rules are tried out. */
export const TRIAL_CHAIN = 'trial';

/** A table, and the socket that owns it. */
export interface OwnedTable {
  readonly name: string;
  readonly socket: NetlinkSocket;
}

/** Whether this kernel takes a rule. */
export function acceptsRule(table: OwnedTable, expressions: readonly Expression[]): boolean {
  try {
    tryRule(table, expressions);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** @throws {@link NetlinkError} when the kernel does not take the rule; nothing was changed */
export function tryRule({ name, socket }: OwnedTable, expressions: readonly Expression[]): void {
  new Transaction(name)
    .addChain(TRIAL_CHAIN)
    .addRule(TRIAL_CHAIN, expressions)
    .commit(socket, 'try a rule');
  new Transaction(name)
    .flushChain(TRIAL_CHAIN)
    .deleteChain(TRIAL_CHAIN)
    .commit(socket, 'take the trial back');
}

/** What the kernel says of expressions, matches and targets it does not have. */
export function isNotFound(error: unknown): boolean {
  return error instanceof NetlinkError && error.errno === ERRNO.ENOENT;
}
