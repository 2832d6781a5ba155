/**
 * How this kernel queues: nft's own expression, or the xtables target; found out by trying.
 *
 * @module
 */
import { NetlinkError, UnsupportedError } from '../../errors.ts';
import { NFPROTO } from './constants.ts';
import {
  type Expression,
  matchProgram,
  queueByFlow,
  queueByJump,
  queueNative,
  queueTarget,
  spreadRules,
} from './expression.ts';
import type { RuleSpec } from './rule.ts';
import { Transaction } from './transaction.ts';
import { isNotFound, type OwnedTable, TRIAL_CHAIN, tryRule } from './trial.ts';

/** The end of a rule that queues: over `count` queues from `first` on. */
export type QueueExpression = (first: number, count: number) => readonly Expression[];

/** Ways to queue still to be tried; one is left when it worked. The same in every namespace. */
const waysToQueue: Record<'one' | 'many', readonly QueueExpression[]> = {
  one: [queueNative, queueTarget],
  many: [queueByFlow, queueByJump, queueNative, queueTarget],
};

/**
 * Finds the kernel's way to queue, and loads modules where needed.
 *
 * @param table where it is tried
 * @throws {@link UnsupportedError} when there is none
 */
export function chooseQueue(table: OwnedTable, { programFd, action }: RuleSpec): QueueExpression {
  const count = action.kind === 'queue' ? action.queues : 1;
  const kind = count > 1 ? 'many' : 'one';
  const ways = waysToQueue[kind];
  const [only] = ways;
  if (only && ways.length === 1) return only;
  const attempts = ways.flatMap((queue) => [
    { queue, loads: false },
    { queue, loads: true },
  ]);
  let refused: unknown;
  for (const { queue, loads } of attempts) {
    if (loads) loadModules(table, programFd, queue);
    try {
      const [ending = []] = queue === queueByJump ? spreadRules(0, count) : [queue(0, count)];
      tryRule(table, [matchProgram(programFd), ...ending]);
      waysToQueue[kind] = [queue];
      return queue;
    } catch (error) {
      if (!isNotFound(error)) throw error;
      refused = error;
    }
  }
  throw cannotQueue(refused);
}

/**
 * Family inet cannot load the xtables modules by itself (the kernel asks modprobe for
 * "(null)t_bpf"); family ip can. A rule in a chain that no hook calls does it.
 */
function loadModules(
  { name, socket }: OwnedTable,
  programFd: number,
  queue: QueueExpression,
): void {
  const transaction = new Transaction(name, NFPROTO.IPV4)
    .addOwnedTable()
    .addChain(TRIAL_CHAIN)
    .addRule(TRIAL_CHAIN, [matchProgram(programFd)])
    .addRule(TRIAL_CHAIN, queue(0, 1));
  try {
    transaction.commit(socket, 'load netfilter modules');
    new Transaction(name, NFPROTO.IPV4).deleteTable().commit(socket, 'load netfilter modules');
  } catch (error) {
    // What could not be loaded shows when the rules are tried again.
    if (!(error instanceof NetlinkError)) throw error;
  }
}

function cannotQueue(cause: unknown): UnsupportedError {
  return new UnsupportedError(
    'NFT_COMPAT, NETFILTER_XT_MATCH_BPF, NFT_QUEUE or NETFILTER_XT_TARGET_NFQUEUE',
    'This kernel cannot run a filter program in an nf_tables rule or queue its packets.',
    {
      cause,
      hint: 'It needs the modules nft_compat, xt_bpf, nfnetlink_queue and nft_queue or xt_NFQUEUE: try `modprobe -a nft_compat xt_bpf nft_queue xt_NFQUEUE`.',
    },
  );
}
