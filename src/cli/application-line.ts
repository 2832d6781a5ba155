/**
 * What the first bytes of a payload say to a person: HTTP request and status lines, DNS questions.
 *
 * @module
 */

const DNS_PORTS: readonly number[] = [53, 5353];
const DNS = { FLAGS: 2, QUESTIONS: 4, ANSWERS: 6, HEADER_LENGTH: 12, RESPONSE: 0x80 } as const;
const DNS_MAX_LABEL = 63;
const DNS_RCODES: readonly string[] = ['', 'FormErr', 'ServFail', 'NXDomain', 'NotImp', 'Refused'];
const DNS_TYPES: Readonly<Record<number, string>> = {
  1: 'A',
  2: 'NS',
  5: 'CNAME',
  6: 'SOA',
  12: 'PTR',
  15: 'MX',
  16: 'TXT',
  28: 'AAAA',
  33: 'SRV',
  65: 'HTTPS',
};

const HTTP_START =
  /^(?:(?:GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH) \S+ HTTP\/1\.[01]|HTTP\/1\.[01] \d{3}[^\r\n]*)/;
const HTTP_LINE_MAX = 200;
/** Anything a terminal could act on. */
const CONTROL = /[\p{Cc}\p{Cf}]/gu;

/**
 * One phrase about a payload, or null when nothing is known about it.
 *
 * @param transport - the protocol it was in
 * @param ports - source and destination
 */
export function applicationLine(
  payload: Uint8Array,
  transport: 'tcp' | 'udp',
  ports: readonly [number, number],
): string | null {
  if (transport === 'tcp') return httpLine(payload);
  return ports.some((port) => DNS_PORTS.includes(port)) ? dnsLine(payload) : null;
}

/** The request or status line, with the host of a request. */
function httpLine(payload: Uint8Array): string | null {
  const text = new TextDecoder('latin1').decode(payload.subarray(0, 2048));
  const line = HTTP_START.exec(text)?.[0];
  if (line === undefined) return null;
  const host = /\r\nhost:[ \t]*([^\r\n]*)/i.exec(text)?.[1];
  const shown = line.slice(0, HTTP_LINE_MAX).replace(CONTROL, '?');
  return host === undefined
    ? shown
    : `${shown} (${host.slice(0, HTTP_LINE_MAX).replace(CONTROL, '?')})`;
}

function dnsLine(payload: Uint8Array): string | null {
  if (payload.length < DNS.HEADER_LENGTH) return null;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  if (view.getUint16(DNS.QUESTIONS) === 0) return null;
  const question = dnsQuestion(payload, view);
  if (question === null) return null;
  if ((view.getUint8(DNS.FLAGS) & DNS.RESPONSE) === 0) return `DNS ${question}`;
  const code = view.getUint8(DNS.FLAGS + 1) & 0x0f;
  const answers = view.getUint16(DNS.ANSWERS);
  const result = code === 0 ? `${answers} answer${answers === 1 ? '' : 's'}` : DNS_RCODES[code];
  return `DNS ${question} ${result ?? `error ${code}`}`;
}

/** `A? example.com` of the first question (RFC 1035, 4.1.2). */
function dnsQuestion(payload: Uint8Array, view: DataView): string | null {
  const labels: string[] = [];
  let at: number = DNS.HEADER_LENGTH;
  for (;;) {
    if (at + 1 > payload.length) return null;
    const length = view.getUint8(at);
    at += 1;
    if (length === 0) break;
    if (length > DNS_MAX_LABEL || at + length > payload.length) return null;
    labels.push(new TextDecoder('latin1').decode(payload.subarray(at, at + length)));
    at += length;
  }
  if (at + 2 > payload.length) return null;
  const type = view.getUint16(at);
  return `${DNS_TYPES[type] ?? `type ${type}`}? ${labels.join('.').replace(CONTROL, '?') || '.'}`;
}
