/**
 * What the first bytes of a payload say to a person: HTTP request and status lines, TLS server names, DNS
 * questions.
 *
 * @module
 */

import { type DnsMessage, dnsMessage } from '../packet/peek/dns.ts';
import { type HttpRequest, httpRequest } from '../packet/peek/http.ts';
import { readClientHello } from '../packet/peek/tls.ts';

const DNS_PORTS: readonly number[] = [53, 5353];
const DNS_ERRORS: readonly string[] = ['', 'FormErr', 'ServFail', 'NXDomain', 'NotImp', 'Refused'];
const STATUS_LINE = /^HTTP\/(1\.[01]) (\d{3})[^\r\n]*/;
const STATUS_LINE_MAX = 200;
/** Anything a terminal could act on. */
const CONTROL = /[\p{Cc}\p{Cf}]/gu;

/** What a payload was found to be. */
export type ApplicationData =
  | { readonly kind: 'http-request'; readonly request: HttpRequest }
  | { readonly kind: 'http-response'; readonly status: number; readonly line: string }
  | { readonly kind: 'tls'; readonly serverName: string | null }
  | { readonly kind: 'dns'; readonly message: DnsMessage };

/**
 * What is known about a payload, or null.
 *
 * @param transport - the protocol it was in
 * @param ports - source and destination
 */
export function readApplication(
  payload: Uint8Array,
  transport: 'tcp' | 'udp',
  ports: readonly [number, number],
): ApplicationData | null {
  if (ports.some((port) => DNS_PORTS.includes(port))) {
    const message = dnsMessage(payload, { tcp: transport === 'tcp' });
    if (message !== null && message.questions.length > 0) return { kind: 'dns', message };
  }
  return transport === 'tcp' ? readStream(payload) : null;
}

function readStream(payload: Uint8Array): ApplicationData | null {
  const hello = readClientHello(payload);
  if (hello.kind === 'complete') return { kind: 'tls', serverName: hello.serverName };
  const request = httpRequest(payload);
  if (request !== null) return { kind: 'http-request', request };
  const start = new TextDecoder('latin1').decode(payload.subarray(0, STATUS_LINE_MAX));
  const [line, , status] = STATUS_LINE.exec(start) ?? [];
  return line === undefined ? null : { kind: 'http-response', status: Number(status), line };
}

/** One phrase about a payload, or null when nothing is known about it. */
export function applicationLine(
  payload: Uint8Array,
  transport: 'tcp' | 'udp',
  ports: readonly [number, number],
): string | null {
  const data = readApplication(payload, transport, ports);
  return data === null ? null : describe(data).replace(CONTROL, '?');
}

function describe(data: ApplicationData): string {
  switch (data.kind) {
    case 'http-request': {
      const { method, target, version, host } = data.request;
      const line = `${method} ${target} HTTP/${version}`.slice(0, STATUS_LINE_MAX);
      return host === null ? line : `${line} (${host})`;
    }
    case 'http-response':
      return data.line;
    case 'tls':
      return data.serverName === null ? 'TLS ClientHello' : `TLS ${data.serverName}`;
    default:
      return describeDns(data.message);
  }
}

/** `DNS A? example.com`, with the number of answers or the error of a response. */
function describeDns({ questions, response, rcode, answers }: DnsMessage): string {
  const asked = questions.map(({ type, name }) => `${type}? ${name}`).join(' ');
  if (!response) return `DNS ${asked}`;
  const result = rcode === 0 ? `${answers} answer${answers === 1 ? '' : 's'}` : DNS_ERRORS[rcode];
  return `DNS ${asked} ${result ?? `error ${rcode}`}`;
}
