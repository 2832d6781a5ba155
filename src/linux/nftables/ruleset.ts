/**
 * The rules of all handles of this process in one network namespace: one table that the kernel
 * deletes with the netlink socket that owns it, one base chain per handle and hook.
 *
 * Unregistering any netfilter hook makes the kernel drop every packet that waits in any NFQUEUE
 * of the namespace. So a closing handle flushes its chains and leaves them for the next one; the
 * table goes when the last handle is closed and no other queue exists, else with the process.
 *
 * Rules that were deleted keep the kernel busy for an RCU grace period, some 10 ms on an idle machine,
 * and only then it begins with another one to delete the table. So the rules of the last handle are not
 * deleted but skipped, until they go with the table or it shows that the table stays.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { statSync } from 'node:fs';
import { NetlinkError, UnsupportedError } from '../../errors.ts';
import { parseAttributes, readNumber, string, uint32be } from '../netlink/attribute.ts';
import { NFGEN_HEADER_BYTES } from '../netlink/message.ts';
import { NetlinkSocket, needsNetAdmin } from '../netlink/socket.ts';
import { ERRNO } from '../sys/constants.ts';
import { fileCall } from '../sys/file-error.ts';
import { withNamespace } from '../sys/namespace.ts';
import {
  NF,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO,
  NFT_MSG,
  NFT_OBJECT_COUNTER,
  NFTA_COUNTER,
  NFTA_OBJ,
} from './constants.ts';
import {
  countInto,
  type Expression,
  matchProgram,
  queueByJump,
  queueNative,
  reassembleIPv6,
  spreadChain,
  spreadRules,
  verdict,
} from './expression.ts';
import { chooseQueue, type QueueExpression } from './queueing.ts';
import { QueueList } from './queues.ts';
import type { Chain, RuleAction, RuleCounters, RuleSpec } from './rule.ts';
import { type GroupOwner, RuleGroup } from './rule-group.ts';
import { Transaction } from './transaction.ts';
import { acceptsRule, isNotFound, type OwnedTable, TRIAL_CHAIN } from './trial.ts';

/** A chain with one rule, behind those of handles. */
export interface LastChain {
  readonly name: string;
  readonly hook: {
    readonly number: number;
    readonly priority: number;
    readonly type: 'filter' | 'route';
  };
  readonly expressions: readonly Expression[];
}

/** A chain that no hook calls, whose rule has an effect by being there. */
const REASSEMBLY_CHAIN = 'reassembly';

export class Ruleset implements GroupOwner {
  static readonly #open = new Map<string, Ruleset>();

  readonly #key: string;
  readonly #table: OwnedTable;
  readonly #queues: QueueList;
  readonly #chains: Chain[] = [];
  readonly #groups = new Set<RuleGroup>();
  readonly #unusedCounters: string[] = [];
  /** Whose rules are still there, behind one that has packets skip them. */
  readonly #skipped = new Set<RuleGroup>();
  /** Of closed handles, whose rules the kernel did not take out yet. */
  readonly #stuck = new Set<RuleGroup>();
  #hasLastChains = false;
  #isReassembling = false;
  #users = 0;
  #names = 0;

  /**
   * The rule set of a namespace, made when there is none. Call `release` when done.
   *
   * @throws {@link UnsupportedError} without CAP_NET_ADMIN or on a kernel without owned tables
   */
  static acquire(namespace: string | undefined): Ruleset {
    const { dev, ino } = withNamespace(namespace, () =>
      fileCall('look at a network namespace', () => statSync('/proc/thread-self/ns/net')),
    );
    const key = `${dev}:${ino}`;
    const ruleset = Ruleset.#open.get(key) ?? new Ruleset(key, namespace);
    ruleset.#users++;
    Ruleset.#open.set(key, ruleset);
    return ruleset;
  }

  private constructor(key: string, namespace: string | undefined) {
    this.#key = key;
    this.#table = {
      name: `netdivert-${process.pid}-${randomBytes(3).toString('hex')}`,
      socket: withNamespace(namespace, () => new NetlinkSocket()),
    };
    this.#queues = new QueueList(namespace);
    try {
      new Transaction(this.#table.name)
        .addOwnedTable()
        .commit(this.#table.socket, 'create an nf_tables table');
    } catch (error) {
      void this.#close();
      throw explainTable(error);
    }
  }

  /**
   * Takes rules in, with a counter of their own, as one change.
   *
   * @param onShifted called before a chain is put in front of this group's: the kernel remembers a
   * queued packet's place by number, so those that wait now will come through their chain again
   */
  install(rules: readonly RuleSpec[], onShifted: () => void = () => {}): RuleGroup {
    const group = new RuleGroup(this, `handle-${++this.#names}`, onShifted);
    this.#change('install the rules of a handle', group, rules, (transaction) => {
      transaction.addCounter(group.counter).addCounter(offeredTo(group.counter));
    });
    return group;
  }

  /**
   * Hooks chains of fixed rules in behind those of all handles, once, for as long as the table
   * exists.
   *
   * @param chains the rules must not be able to fail: they are tried where no hook calls them
   */
  addLastChains(chains: readonly LastChain[]): void {
    if (this.#hasLastChains) return;
    const trial = new Transaction(this.#table.name).addChain(TRIAL_CHAIN);
    for (const { expressions } of chains) trial.addRule(TRIAL_CHAIN, expressions);
    trial.commit(this.#table.socket, 'try a rule');
    const transaction = new Transaction(this.#table.name)
      .flushChain(TRIAL_CHAIN)
      .deleteChain(TRIAL_CHAIN);
    for (const { name, hook, expressions } of chains) {
      transaction.addChain(name, hook).addRule(name, expressions);
    }
    transaction.commit(this.#table.socket, 'install the last chains');
    this.#hasLastChains = true;
  }

  /** Whether this kernel takes a rule. */
  accepts(expressions: readonly Expression[]): boolean {
    return acceptsRule(this.#table, expressions);
  }

  /**
   * Has the kernel reassemble IPv6 fragments from here on, for as long as the table exists: stopping
   * unregisters hooks. A kernel that cannot, goes on without.
   */
  reassembleIPv6(): void {
    if (this.#isReassembling) return;
    this.#isReassembling = true;
    try {
      new Transaction(this.#table.name)
        .addChain(REASSEMBLY_CHAIN)
        .addRule(REASSEMBLY_CHAIN, reassembleIPv6())
        .commit(this.#table.socket, 'reassemble IPv6 fragments');
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
  }

  /** @internal swaps a group's rules in one change: every packet meets the old or the new ones */
  replace(group: RuleGroup, rules: readonly RuleSpec[]): void {
    const { chains } = group;
    this.#change('change the rules of a handle', group, rules, (transaction) => {
      for (const chain of chains) transaction.flushChain(chain.name);
    });
  }

  /** @internal nothing reaches a group's rules from here on; they can stay for as long as nobody needs the chains */
  retire(group: RuleGroup): void {
    if (this.#users > 1) this.remove(group);
    else this.#skip(group);
  }

  #skip(group: RuleGroup): void {
    const transaction = new Transaction(this.#table.name);
    for (const { name } of group.chains) transaction.putRuleFirst(name, [verdict(NF.ACCEPT)]);
    transaction.commit(this.#table.socket, 'take the rules of a handle out of use');
    this.#groups.delete(group);
    this.#skipped.add(group);
  }

  #removeSkipped(): void {
    for (const group of this.#skipped) this.remove(group);
  }

  #tryRemoveSkipped(): void {
    try {
      this.#removeSkipped();
    } catch {
      // Nothing reaches them. They are tried again with the next change.
    }
  }

  /** @internal the counters stay: another processor may be counting a packet just now */
  remove(group: RuleGroup): void {
    const transaction = new Transaction(this.#table.name);
    for (const chain of group.chains) transaction.flushChain(chain.name);
    if (group.spread !== null) transaction.flushChain(group.spread).deleteChain(group.spread);
    transaction.commit(this.#table.socket, 'remove the rules of a handle');
    this.#groups.delete(group);
    for (const chain of group.chains) chain.free = true;
    this.#skipped.delete(group);
    this.#stuck.delete(group);
  }

  /** @internal its handle closes, and its rules could not be removed: they are tried again with every change */
  noteStuck(group: RuleGroup): void {
    this.#stuck.add(group);
  }

  #removeStuck(): void {
    for (const group of this.#stuck) {
      this.remove(group);
      this.removeCounters(group);
    }
  }

  /** @internal they go with the next change: one of their own would take the kernel 10 ms */
  removeCounters(group: RuleGroup): void {
    this.#unusedCounters.push(group.counter, offeredTo(group.counter));
  }

  /** @internal */
  readCounters(group: RuleGroup): RuleCounters {
    const { counter } = group;
    // In this order no more have matched than were offered.
    const matched = this.#readCounter(counter);
    return { matched, offered: this.#readCounter(offeredTo(counter)) };
  }

  #readCounter(name: string): number {
    const [answer] = this.#table.socket.query('read the counter of a handle', {
      type: (NFNL_SUBSYS_NFTABLES << 8) | NFT_MSG.GETOBJ,
      flags: 0,
      family: NFPROTO.INET,
      resource: 0,
      attributes: [
        string(NFTA_OBJ.TABLE, this.#table.name),
        string(NFTA_OBJ.NAME, name),
        uint32be(NFTA_OBJ.TYPE, NFT_OBJECT_COUNTER),
      ],
    });
    const object = answer && parseAttributes(answer.subarray(NFGEN_HEADER_BYTES));
    const data = parseAttributes(object?.get(NFTA_OBJ.DATA) ?? new Uint8Array());
    return readNumber(data.get(NFTA_COUNTER.PACKETS) ?? new Uint8Array());
  }

  /** The last user takes the table away, unless that could cost somebody else packets. */
  async release(): Promise<void> {
    const isLast = --this.#users === 0;
    const nobodyElse = isLast && this.#queues.isReadable && this.#queues.read().length === 0;
    if (!nobodyElse) this.#tryRemoveSkipped();
    // Rules that nobody could take out go with the table, whatever that costs.
    const isStuck = this.#stuck.size + this.#skipped.size > 0;
    if (nobodyElse || (isLast && isStuck)) await this.#close();
  }

  #close(): Promise<void> {
    Ruleset.#open.delete(this.#key);
    this.#queues.close();
    return this.#table.socket.close();
  }

  #change(
    operation: string,
    group: RuleGroup,
    rules: readonly RuleSpec[],
    prepare: (transaction: Transaction) => void,
  ): void {
    this.#removeSkipped();
    this.#removeStuck();
    const used = this.#takeChains(rules, group.chains);
    const all = new Set([...group.chains, ...used]);
    const fresh = [...all].filter((chain) => !this.#chains.includes(chain));
    for (const other of this.#groups) other.noteFresh(fresh);
    try {
      this.#commitRules(operation, rules, used, group, (transaction) => {
        for (const { name, hook, priority } of fresh) {
          transaction.addChain(name, { number: hook, priority });
        }
        prepare(transaction);
      });
    } catch (error) {
      for (const chain of all) chain.free = !group.chains.includes(chain);
      throw error;
    }
    this.#chains.push(...fresh);
    group.chains = [...all];
    this.#groups.add(group);
  }

  /**
   * A chain for each rule: rules of one handle on one hook share theirs, chains of closed handles
   * are used again.
   */
  #takeChains(rules: readonly RuleSpec[], own: readonly Chain[]): Chain[] {
    const taken: Chain[] = [];
    for (const { hook, priority } of rules) {
      const same = (chain: Chain): boolean => chain.hook === hook && chain.priority === priority;
      const chain = taken.find(same) ??
        own.find(same) ??
        this.#chains.find((pooled) => pooled.free && same(pooled)) ?? {
          name: `chain-${++this.#names}`,
          hook,
          priority,
          free: false,
        };
      chain.free = false;
      taken.push(chain);
    }
    return taken;
  }

  #commitRules(
    operation: string,
    rules: readonly RuleSpec[],
    chains: readonly Chain[],
    group: RuleGroup,
    prepare: (transaction: Transaction) => void,
  ): void {
    const [first] = rules;
    const { counter } = group;
    const queue = first ? chooseQueue(this.#table, first) : queueNative;
    if (first && queue === queueByJump) this.#addSpread(first.action, group);
    const transaction = new Transaction(this.#table.name);
    for (const name of this.#unusedCounters) transaction.deleteCounter(name);
    prepare(transaction);
    for (const { name } of new Set(chains)) {
      transaction.addRule(name, [countInto(offeredTo(counter))]);
    }
    rules.forEach((rule, index) => {
      transaction.addRule(chains[index]?.name ?? '', ruleBody(rule, counter, queue));
    });
    transaction.commit(this.#table.socket, operation);
    this.#unusedCounters.length = 0;
  }

  /** The chain that rules of several queues jump to, once for a handle. */
  #addSpread(action: RuleAction, group: RuleGroup): void {
    if (action.kind !== 'queue' || group.spread !== null) return;
    const { queueNumber, queues } = action;
    const chain = spreadChain(queueNumber);
    const transaction = new Transaction(this.#table.name).addChain(chain);
    for (const rule of spreadRules(queueNumber, queues)) transaction.addRule(chain, rule);
    transaction.commit(this.#table.socket, 'spread a handle over queues');
    group.spread = chain;
  }
}

/** Name of the counter of the packets that went through a handle's chains. */
function offeredTo(counter: string): string {
  return `${counter}-offered`;
}

function ruleBody(rule: RuleSpec, counter: string, queue: QueueExpression): Expression[] {
  const { conditions, programFd, action } = rule;
  const end =
    action.kind === 'queue' ? queue(action.queueNumber, action.queues) : [verdict(action.code)];
  return [...conditions, matchProgram(programFd), countInto(counter), ...end];
}

function explainTable(error: unknown): unknown {
  if (!(error instanceof NetlinkError)) return error;
  if (error.errno === ERRNO.EPERM) return needsNetAdmin(error);
  if (error.errno === ERRNO.EINVAL || error.errno === ERRNO.EOPNOTSUPP) {
    return new UnsupportedError(
      'nf_tables owned tables',
      'This kernel has no nf_tables tables that go with their owner (NFT_TABLE_F_OWNER).',
      { since: '5.12', cause: error, hint: 'Use Linux 5.12 or later.' },
    );
  }
  return error;
}
