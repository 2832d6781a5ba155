import type { PacketProcess } from '../packet-line.ts';
import { listSockets, type SocketEntry } from '../proc/socket-list.ts';
import type { Flow } from './flow-table.ts';

/** The tables of the system are read again after this time. */
const REFRESH_MS = 2000;

/** Finds the processes of flows among the sockets there are. */
export class ProcessLookup {
  readonly #namespace: string | undefined;
  #readAtMs = Number.NEGATIVE_INFINITY;
  #byEnds = new Map<string, PacketProcess>();
  #byPort = new Map<string, PacketProcess>();

  constructor(namespace: string | undefined) {
    this.#namespace = namespace;
  }

  readonly find = ({
    localPort,
    protocol,
    remoteAddress,
    remotePort,
  }: Flow): PacketProcess | null => {
    if (protocol !== 'tcp' && protocol !== 'udp') return null;
    this.#refresh();
    const ends = `${protocol} ${localPort} ${remoteAddress} ${remotePort}`;
    return this.#byEnds.get(ends) ?? this.#byPort.get(`${protocol} ${localPort}`) ?? null;
  };

  #refresh(): void {
    const nowMs = performance.now();
    if (nowMs - this.#readAtMs < REFRESH_MS) return;
    this.#readAtMs = nowMs;
    this.#byEnds = new Map();
    this.#byPort = new Map();
    for (const socket of listSockets(this.#namespace)) this.#add(socket);
  }

  #add({ localPort, process, protocol, remoteAddress, remotePort }: SocketEntry): void {
    if (process === null) return;
    if (remotePort === 0) this.#byPort.set(`${protocol} ${localPort}`, process);
    else this.#byEnds.set(`${protocol} ${localPort} ${remoteAddress} ${remotePort}`, process);
  }
}
