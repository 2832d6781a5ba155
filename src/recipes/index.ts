/**
 * What people build with packets, ready to use: made of the public API, nothing below it.
 *
 * @module
 */
export {
  type DnsMessage,
  type DnsOptions,
  type DnsQuestion,
  dnsMessage,
  dnsQuestions,
} from '../packet/peek/dns.ts';
export { type HttpRequest, httpRequest } from '../packet/peek/http.ts';
export { StreamHead } from '../packet/peek/stream-head.ts';
export { tlsServerName } from '../packet/peek/tls.ts';
export {
  type PacketHandler,
  type PacketVerdict,
  type ProcessOptions,
  type ProcessStats,
  processPackets,
} from './process/process-packets.ts';
export type { Endpoint } from './redirect/endpoint-key.ts';
export {
  type Redirection,
  type RedirectOptions,
  type RedirectStats,
  redirect,
} from './redirect/redirect.ts';
export type { ProxyAddress } from './redirect/target.ts';
export { type RejectAnswer, type RejectOptions, rejectAnswers } from './reject/answers.ts';
export { reject } from './reject/reject.ts';
export type { UnreachableReason } from './reject/unreachable.ts';
export type { Impairment } from './shape/impairment.ts';
export type { LinkStats } from './shape/link.ts';
export { type ShapeOptions, type Shaper, type ShapeStats, shape } from './shape/shape.ts';
