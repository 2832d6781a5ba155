/**
 * The few nf_tables expressions a handle's rules are made of. In nft's own words a rule reads
 * `meta oif lo; xt match bpf fd N; counter name "h1"; queue to 40000 bypass`.
 *
 * @module
 */
import { attribute, nested, string, uint16be, uint32be } from '../netlink/attribute.ts';
import {
  NFPROTO,
  NFT_BYTEORDER_HTON,
  NFT_CMP,
  NFT_FIB_RESULT_ADDRTYPE,
  NFT_HASH_SYM,
  NFT_JUMP,
  NFT_META_MARK,
  NFT_META_OIF,
  NFT_OBJECT_COUNTER,
  NFT_QUEUE_FLAG_BYPASS,
  NFT_REG,
  NFTA_BITWISE,
  NFTA_BYTEORDER,
  NFTA_CMP,
  NFTA_DATA,
  NFTA_EXPR,
  NFTA_FIB,
  NFTA_FIB_F_DADDR,
  NFTA_HASH,
  NFTA_IMMEDIATE,
  NFTA_LIST_ELEM,
  NFTA_MATCH,
  NFTA_META,
  NFTA_META_SREG,
  NFTA_OBJREF,
  NFTA_QUEUE,
  NFTA_TARGET,
  NFTA_TPROXY,
  NFTA_VERDICT,
  RTN,
  XT_BPF_INFO_V1,
  XT_NFQ_INFO_V3,
} from './constants.ts';

/** One expression of a rule, encoded as a list element. */
export type Expression = Uint8Array;

function expression(name: string, ...attributes: readonly Uint8Array[]): Expression {
  return nested(
    NFTA_LIST_ELEM,
    string(NFTA_EXPR.NAME, name),
    nested(NFTA_EXPR.DATA, ...attributes),
  );
}

/**
 * `meta oif INDEX` or `meta oif != INDEX`: the outgoing device, known at LOCAL_OUT once routed.
 *
 * @param interfaceIndex e.g. 1 for lo
 */
export function matchOutputInterface(interfaceIndex: number, equal: boolean): Expression[] {
  const value = new Uint8Array(4);
  // Registers hold the index in host byte order.
  new DataView(value.buffer).setUint32(0, interfaceIndex, true);
  return [loadOutputInterface(), compare(equal ? NFT_CMP.EQ : NFT_CMP.NEQ, value)];
}

/** `meta oif FIRST-LAST`, both ends included. */
export function matchOutputRange(first: number, last: number): Expression[] {
  if (first === last) return matchOutputInterface(first, true);
  return [loadOutputInterface(), ...isInRange(first, last)];
}

/**
 * `fib daddr type >= local, <= multicast`: what this host takes in, before it is routed. Needs
 * CONFIG_NFT_FIB_INET.
 */
export function matchLocalDestination(): Expression[] {
  const load = expression(
    'fib',
    uint32be(NFTA_FIB.DREG, NFT_REG.REG_1),
    uint32be(NFTA_FIB.RESULT, NFT_FIB_RESULT_ADDRTYPE),
    uint32be(NFTA_FIB.FLAGS, NFTA_FIB_F_DADDR),
  );
  return [load, ...isInRange(RTN.LOCAL, RTN.MULTICAST)];
}

/**
 * `tproxy ip6 to :0`, which has the kernel reassemble IPv6 fragments for as long as the rule is
 * there, whether it is ever run or not. Needs CONFIG_NFT_TPROXY.
 */
export function reassembleIPv6(): Expression[] {
  return [
    expression(
      'immediate',
      uint32be(NFTA_IMMEDIATE.DREG, NFT_REG.REG_1),
      nested(NFTA_IMMEDIATE.DATA, attribute(NFTA_DATA.VALUE, new Uint8Array(PORT_BYTES))),
    ),
    expression(
      'tproxy',
      uint32be(NFTA_TPROXY.FAMILY, NFPROTO.IPV6),
      uint32be(NFTA_TPROXY.REG_PORT, NFT_REG.REG_1),
    ),
  ];
}

const NUMBER_BYTES = 4;
const PORT_BYTES = 2;

/** The number in register 1, in host byte order there. */
function isInRange(first: number, last: number): Expression[] {
  return [
    // Order is compared byte by byte.
    expression(
      'byteorder',
      uint32be(NFTA_BYTEORDER.SREG, NFT_REG.REG_1),
      uint32be(NFTA_BYTEORDER.DREG, NFT_REG.REG_1),
      uint32be(NFTA_BYTEORDER.OP, NFT_BYTEORDER_HTON),
      uint32be(NFTA_BYTEORDER.LEN, NUMBER_BYTES),
      uint32be(NFTA_BYTEORDER.SIZE, NUMBER_BYTES),
    ),
    compare(NFT_CMP.GTE, bigEndian(first)),
    compare(NFT_CMP.LTE, bigEndian(last)),
  ];
}

function bigEndian(number: number): Uint8Array {
  const value = new Uint8Array(NUMBER_BYTES);
  new DataView(value.buffer).setUint32(0, number);
  return value;
}

function loadOutputInterface(): Expression {
  return expression(
    'meta',
    uint32be(NFTA_META.DREG, NFT_REG.REG_1),
    uint32be(NFTA_META.KEY, NFT_META_OIF),
  );
}

function compare(operator: number, value: Uint8Array): Expression {
  return expression(
    'cmp',
    uint32be(NFTA_CMP.SREG, NFT_REG.REG_1),
    uint32be(NFTA_CMP.OP, operator),
    nested(NFTA_CMP.DATA, attribute(NFTA_DATA.VALUE, value)),
  );
}

/** The packets a loaded socket-filter program returns non-zero for. The rule keeps the program alive. */
export function matchProgram(programFd: number): Expression {
  const info = new Uint8Array(XT_BPF_INFO_V1.BYTES);
  const view = new DataView(info.buffer);
  view.setUint16(XT_BPF_INFO_V1.MODE, XT_BPF_INFO_V1.MODE_FD_ELF, true);
  view.setInt32(XT_BPF_INFO_V1.FD, programFd, true);
  return expression(
    'match',
    string(NFTA_MATCH.NAME, 'bpf'),
    uint32be(NFTA_MATCH.REV, XT_BPF_INFO_V1.REVISION),
    attribute(NFTA_MATCH.INFO, info),
  );
}

/** `meta mark & MASK == VALUE meta mark set 0` */
export function clearMark(mask: number, value: number): Expression[] {
  const data = (type: number, number: number): Uint8Array => {
    const bytes = new Uint8Array(4);
    // Registers hold the mark in host byte order.
    new DataView(bytes.buffer).setUint32(0, number, true);
    return nested(type, attribute(NFTA_DATA.VALUE, bytes));
  };
  const register = NFT_REG.REG_1;
  const key = uint32be(NFTA_META.KEY, NFT_META_MARK);
  return [
    expression('meta', uint32be(NFTA_META.DREG, register), key),
    expression(
      'bitwise',
      uint32be(NFTA_BITWISE.SREG, register),
      uint32be(NFTA_BITWISE.DREG, register),
      uint32be(NFTA_BITWISE.LEN, 4),
      data(NFTA_BITWISE.MASK, mask),
      data(NFTA_BITWISE.XOR, 0),
    ),
    expression(
      'cmp',
      uint32be(NFTA_CMP.SREG, register),
      uint32be(NFTA_CMP.OP, NFT_CMP.EQ),
      data(NFTA_CMP.DATA, value),
    ),
    expression('immediate', uint32be(NFTA_IMMEDIATE.DREG, register), data(NFTA_IMMEDIATE.DATA, 0)),
    expression('meta', key, uint32be(NFTA_META_SREG, register)),
  ];
}

/** Counts into a named counter of the table, which survives the rule. */
export function countInto(counter: string): Expression {
  return expression(
    'objref',
    uint32be(NFTA_OBJREF.IMM_TYPE, NFT_OBJECT_COUNTER),
    string(NFTA_OBJREF.IMM_NAME, counter),
  );
}

/**
 * `queue to symhash mod COUNT offset FIRST bypass`: both directions of a flow, told apart by addresses, protocol
 * and ports, have the same queue. Needs CONFIG_NFT_HASH and CONFIG_NFT_QUEUE.
 *
 * @param count of queues, from number `first` on
 */
export function queueByFlow(first: number, count: number): Expression[] {
  return [
    hashFlow(first, count),
    expression(
      'queue',
      uint32be(NFTA_QUEUE.SREG_QNUM, NFT_REG.REG_1),
      uint16be(NFTA_QUEUE.FLAGS, NFT_QUEUE_FLAG_BYPASS),
    ),
  ];
}

/**
 * `jump queues-FIRST`: the same for kernels without CONFIG_NFT_QUEUE, by a chain of {@link spreadRules}.
 *
 * @param first number of the first queue
 */
export function queueByJump(first: number): Expression[] {
  const verdict = nested(
    NFTA_DATA.VERDICT,
    uint32be(NFTA_VERDICT.CODE, NFT_JUMP >>> 0),
    string(NFTA_VERDICT.CHAIN, spreadChain(first)),
  );
  return [
    expression(
      'immediate',
      uint32be(NFTA_IMMEDIATE.DREG, NFT_REG.VERDICT),
      nested(NFTA_IMMEDIATE.DATA, verdict),
    ),
  ];
}

/** Name of the chain that spreads flows over the queues from number `first` on. */
export function spreadChain(first: number): string {
  return `queues-${first}`;
}

/** Rules `symhash mod COUNT offset FIRST == N queue to N bypass` for each queue; the last takes what is left. */
export function spreadRules(first: number, count: number): Expression[][] {
  return Array.from({ length: count }, (_, index) => {
    const queue = queueTarget(first + index, 1);
    if (index === count - 1) return queue;
    const value = new Uint8Array(4);
    // Registers hold numbers in host byte order.
    new DataView(value.buffer).setUint32(0, first + index, true);
    return [hashFlow(first, count), compare(NFT_CMP.EQ, value), ...queue];
  });
}

/** Register 1: one of `count` numbers from `first` on, the same for both directions of a flow. */
function hashFlow(first: number, count: number): Expression {
  return expression(
    'hash',
    uint32be(NFTA_HASH.DREG, NFT_REG.REG_1),
    uint32be(NFTA_HASH.MODULUS, count),
    uint32be(NFTA_HASH.OFFSET, first),
    uint32be(NFTA_HASH.TYPE, NFT_HASH_SYM),
  );
}

/**
 * `queue to FIRST-LAST bypass`: a queue nobody listens on lets packets pass. Of several queues, everything
 * between two addresses in one protocol has the same. Needs CONFIG_NFT_QUEUE.
 *
 * @param count of queues, from number `first` on
 */
export function queueNative(first: number, count: number): Expression[] {
  return [
    expression(
      'queue',
      uint16be(NFTA_QUEUE.NUM, first),
      uint16be(NFTA_QUEUE.TOTAL, count),
      uint16be(NFTA_QUEUE.FLAGS, NFT_QUEUE_FLAG_BYPASS),
    ),
  ];
}

/** The same by the xtables target, for kernels without the native expression. */
export function queueTarget(first: number, count: number): Expression[] {
  const info = new Uint8Array(XT_NFQ_INFO_V3.BYTES);
  const view = new DataView(info.buffer);
  view.setUint16(XT_NFQ_INFO_V3.QUEUENUM, first, true);
  view.setUint16(XT_NFQ_INFO_V3.QUEUES_TOTAL, count, true);
  view.setUint16(XT_NFQ_INFO_V3.FLAGS, XT_NFQ_INFO_V3.FLAG_BYPASS, true);
  return [
    expression(
      'target',
      string(NFTA_TARGET.NAME, 'NFQUEUE'),
      uint32be(NFTA_TARGET.REV, XT_NFQ_INFO_V3.REVISION),
      attribute(NFTA_TARGET.INFO, info),
    ),
  ];
}

/** Ends the packet's way through the hook with NF_DROP or NF_ACCEPT. */
export function verdict(code: number): Expression {
  return expression(
    'immediate',
    uint32be(NFTA_IMMEDIATE.DREG, NFT_REG.VERDICT),
    nested(NFTA_IMMEDIATE.DATA, nested(NFTA_DATA.VERDICT, uint32be(NFTA_VERDICT.CODE, code))),
  );
}
