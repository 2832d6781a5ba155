/**
 * Changes to one nf_tables table, collected and committed as one: all or none.
 *
 * @module
 */
import { nested, string, uint32be } from '../netlink/attribute.ts';
import { type NetfilterMessage, NLM_F } from '../netlink/message.ts';
import type { NetlinkSocket } from '../netlink/socket.ts';
import {
  NFNL_MSG_BATCH_BEGIN,
  NFNL_MSG_BATCH_END,
  NFNL_SUBSYS_NFTABLES,
  NFPROTO,
  NFT_MSG,
  NFT_OBJECT_COUNTER,
  NFT_TABLE_F_OWNER,
  NFTA_CHAIN,
  NFTA_HOOK,
  NFTA_OBJ,
  NFTA_RULE,
  NFTA_TABLE,
} from './constants.ts';
import type { Expression } from './expression.ts';

export class Transaction {
  readonly #table: string;
  readonly #family: number;
  readonly #messages: NetfilterMessage[] = [];

  /** @param family NFPROTO.INET by default: one table for IPv4 and IPv6 */
  constructor(table: string, family: number = NFPROTO.INET) {
    this.#table = table;
    this.#family = family;
  }

  /** A table that only this netlink socket may change and that goes with it (Linux 5.12). */
  addOwnedTable(): this {
    return this.#add(NFT_MSG.NEWTABLE, NLM_F.CREATE, [
      string(NFTA_TABLE.NAME, this.#table),
      uint32be(NFTA_TABLE.FLAGS, NFT_TABLE_F_OWNER),
    ]);
  }

  deleteTable(): this {
    return this.#add(NFT_MSG.DELTABLE, 0, [string(NFTA_TABLE.NAME, this.#table)]);
  }

  /**
   * @param hook where and in which order it runs; without one it is never run. Type 'route' (LOCAL_OUT)
   * routes again what the chain changed the mark of
   */
  addChain(
    name: string,
    hook?: { number: number; priority: number; type?: 'filter' | 'route' },
  ): this {
    const base = hook
      ? [
          nested(
            NFTA_CHAIN.HOOK,
            uint32be(NFTA_HOOK.HOOKNUM, hook.number),
            uint32be(NFTA_HOOK.PRIORITY, hook.priority),
          ),
          string(NFTA_CHAIN.TYPE, hook.type ?? 'filter'),
        ]
      : [];
    return this.#add(NFT_MSG.NEWCHAIN, NLM_F.CREATE, [
      string(NFTA_CHAIN.TABLE, this.#table),
      string(NFTA_CHAIN.NAME, name),
      ...base,
    ]);
  }

  deleteChain(name: string): this {
    return this.#add(NFT_MSG.DELCHAIN, 0, [
      string(NFTA_CHAIN.TABLE, this.#table),
      string(NFTA_CHAIN.NAME, name),
    ]);
  }

  /** Behind those that the chain has. */
  addRule(chain: string, expressions: readonly Expression[]): this {
    return this.#addRule(NLM_F.APPEND, chain, expressions);
  }

  /** In front of those that the chain has. */
  putRuleFirst(chain: string, expressions: readonly Expression[]): this {
    return this.#addRule(0, chain, expressions);
  }

  #addRule(place: number, chain: string, expressions: readonly Expression[]): this {
    return this.#add(NFT_MSG.NEWRULE, NLM_F.CREATE | place, [
      string(NFTA_RULE.TABLE, this.#table),
      string(NFTA_RULE.CHAIN, chain),
      nested(NFTA_RULE.EXPRESSIONS, ...expressions),
    ]);
  }

  /** Takes all rules out of a chain; the chain and its hook stay. */
  flushChain(chain: string): this {
    return this.#add(NFT_MSG.DELRULE, 0, [
      string(NFTA_RULE.TABLE, this.#table),
      string(NFTA_RULE.CHAIN, chain),
    ]);
  }

  addCounter(name: string): this {
    return this.#add(NFT_MSG.NEWOBJ, NLM_F.CREATE, [
      string(NFTA_OBJ.TABLE, this.#table),
      string(NFTA_OBJ.NAME, name),
      uint32be(NFTA_OBJ.TYPE, NFT_OBJECT_COUNTER),
      nested(NFTA_OBJ.DATA),
    ]);
  }

  deleteCounter(name: string): this {
    return this.#add(NFT_MSG.DELOBJ, 0, [
      string(NFTA_OBJ.TABLE, this.#table),
      string(NFTA_OBJ.NAME, name),
      uint32be(NFTA_OBJ.TYPE, NFT_OBJECT_COUNTER),
    ]);
  }

  /**
   * Commits.
   *
   * @param operation what is being done, for the error message
   * @throws {@link NetlinkError} nothing was changed
   */
  commit(socket: NetlinkSocket, operation: string): void {
    const edge = (type: number): NetfilterMessage => ({
      type,
      flags: 0,
      family: 0,
      resource: NFNL_SUBSYS_NFTABLES,
      attributes: [],
    });
    socket.request(operation, [
      edge(NFNL_MSG_BATCH_BEGIN),
      ...this.#messages,
      edge(NFNL_MSG_BATCH_END),
    ]);
  }

  #add(message: number, flags: number, attributes: readonly Uint8Array[]): this {
    this.#messages.push({
      type: (NFNL_SUBSYS_NFTABLES << 8) | message,
      flags: flags | NLM_F.ACK,
      family: this.#family,
      resource: 0,
      attributes,
    });
    return this;
  }
}
