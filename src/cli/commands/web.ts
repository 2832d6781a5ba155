import { readFile } from 'node:fs/promises';
import { text as readAll } from 'node:stream/consumers';
import type { NetworkHandle } from '../../divert/network-handle.ts';
import { UsageError } from '../exit-code.ts';
import { formatIsoTime, printJson } from '../json.ts';
import { plural, print, styleFor, tell } from '../output.ts';
import { clockOffsetNs } from '../traffic.ts';
import { type RunOptions, runOnTraffic } from '../traffic-run.ts';
import { BlockList } from '../web/blocklist.ts';
import { type BlockedRequest, WebFilter } from '../web/web-filter.ts';

export interface WebOptions extends Omit<RunOptions, 'count'> {
  readonly host: readonly string[];
  /** File with HTML. */
  readonly page?: string;
  readonly port?: readonly number[];
  readonly blockQuic?: boolean;
}

const BAD_LINES_SHOWN = 3;
const HTTPS_PORT = 443;
const WEB_PORTS: readonly number[] = [80, HTTPS_PORT];

/**
 * `netdivert web`: blocks sites by name, HTTP with a page, TLS with a reset; says which on standard
 * output.
 *
 * @throws UsageError when no list and no name is given
 */
export async function web(path: string | undefined, options: WebOptions): Promise<number> {
  const list = await readList(path, options.host);
  const page = options.page === undefined ? undefined : await readFile(options.page, 'utf8');
  const onBlocked = printer(options);
  let filter: WebFilter | undefined;
  tell(`${plural(list.size, 'name')} on the list`);
  return await runOnTraffic(filterText(options), options, {
    name: 'web',
    doing: 'filtering',
    work: async (handle) => {
      const webFilter = new WebFilter(handle, { list, page, onBlocked });
      filter = webFilter;
      await work(handle, webFilter);
    },
    summary: () => ({
      fields: { requests: filter?.seen ?? 0, blocked: filter?.blocked ?? 0 },
      line: `${plural(filter?.seen ?? 0, 'request')} seen, ${filter?.blocked ?? 0} blocked`,
    }),
  });
}

async function work(handle: NetworkHandle, filter: WebFilter): Promise<void> {
  const { reject } = await import('../../recipes/index.ts');
  for await (const packet of handle) {
    if (packet.udp) reject(handle, packet);
    else filter.handle(packet);
  }
}

/** Packets of clients that carry data, to the ports of the web. */
function filterText({ blockQuic, layer, port: ports = WEB_PORTS }: WebOptions): string {
  const wanted = ports.map((port) => `tcp.DstPort == ${port}`).join(' or ');
  const quic = blockQuic ? ` or udp.DstPort == ${HTTPS_PORT}` : '';
  const text = `((${wanted}) and tcp.PayloadLength > 0${quic})`;
  return layer === 'forward' ? text : `outbound and ${text}`;
}

async function readList(path: string | undefined, hosts: readonly string[]): Promise<BlockList> {
  if (path === undefined && hosts.length === 0) {
    throw new UsageError('web needs a block list: a file, or names (--host)');
  }
  const list = new BlockList();
  for (const host of hosts) {
    if (!list.add(host)) throw new UsageError(`'${host}' is no host name`);
  }
  if (path === undefined) return list;
  list.addText(path === '-' ? await readAll(process.stdin) : await readFile(path, 'utf8'));
  for (const { number, text } of list.bad.slice(0, BAD_LINES_SHOWN)) {
    tell(`line ${number} of the list is no name, passed over: ${text.slice(0, 60)}`);
  }
  if (list.bad.length > BAD_LINES_SHOWN) tell(`${list.bad.length} such lines in all`);
  if (list.size === 0) throw new UsageError(`there is no name in ${path}`);
  return list;
}

function printer({ json, read, write }: WebOptions): (request: BlockedRequest) => void {
  // Standard output has the capture file, then.
  if (write === '-') return () => {};
  const style = styleFor(process.stdout);
  // A file has wall clock times.
  const offsetNs = read === undefined ? clockOffsetNs() : 0n;
  return ({ entry, host, packet, protocol }) => {
    const header = packet.ip ?? packet.ipv6;
    const time = formatIsoTime(packet.address.timestamp + offsetNs);
    const source = header === null ? '' : String(header.srcAddr);
    if (json) printJson({ type: 'blocked', time, protocol, host, entry, source });
    else print(`${style('dim', time)} ${style('red', 'blocked')} ${protocol} ${host} (${source})`);
  };
}
