/**
 * Ports that were listened on before the handle was there.
 *
 * @module
 */
import { PROCESS_RECORD } from '../../packet/event-layout.ts';
import { callBpf } from '../bpf/call.ts';
import { BPF_COMMAND } from '../bpf/constants.ts';
import { TCP_STATE } from '../bpf/contexts.ts';
import type { BpfMap } from '../bpf/map.ts';
import { ProcSockets } from '../sockets/proc-sockets.ts';
import { OWNER_BYTES } from '../sockets/socket-record.ts';
import { SOCKET } from '../sys/constants.ts';
import { allocate } from '../sys/memory.ts';
import { SOCKET_PROTOCOL } from './context.ts';
import { type ListedSocket, SockDiag } from './sock-diag.ts';
import { BOUND, BOUND_KEY } from './state.ts';

/** Offsets in the `BPF_MAP_LOOKUP_ELEM` part of `union bpf_attr`. */
const LOOKUP = { MAP_FD: 0, KEY: 8, VALUE: 16, BYTES: 32 } as const;
const COOKIE_BYTES = 8;

/**
 * Writes down who listens, and which datagram sockets take what comes.
 *
 * @param namespace whose sockets they are
 * @param bound the handle's map of ports; what is in there stays
 * @param ownersFd the tracker's map of owners by cookie
 */
export function addOpenPorts(namespace: string | undefined, bound: BpfMap, ownersFd: number): void {
  using diag = new SockDiag(namespace);
  const { TCP, UDP } = SOCKET_PROTOCOL;
  const kinds = [
    [TCP, TCP_STATE.LISTEN],
    [UDP, TCP_STATE.CLOSE],
  ] as const;
  const owners = new Owners(ownersFd);
  const entries = new Map<string, DataView>();
  for (const [protocol, state] of kinds) {
    for (const family of [SOCKET.AF_INET, SOCKET.AF_INET6]) {
      for (const socket of diag.list(family, protocol, 1 << state)) {
        addEntry(entries, socket, protocol, owners);
      }
    }
  }
  for (const [key, value] of entries) {
    bound.add(Buffer.from(key, 'latin1'), new Uint8Array(value.buffer));
  }
}

function addEntry(
  entries: Map<string, DataView>,
  socket: ListedSocket,
  protocol: number,
  owners: Owners,
): void {
  const key = encodeKey(socket, protocol);
  const value = entries.get(key) ?? new DataView(new ArrayBuffer(BOUND.BYTES));
  entries.set(key, value);
  value.setUint32(BOUND.COUNT, value.getUint32(BOUND.COUNT, true) + 1, true);
  value.setBigUint64(BOUND.ENDPOINT_ID, socket.cookie, true);
  const process = new Uint8Array(value.buffer, BOUND.PROCESS, PROCESS_RECORD.BYTES);
  const owner = owners.find(socket);
  if (owner) process.set(owner.subarray(0, PROCESS_RECORD.BYTES));
  else value.setUint32(BOUND.PROCESS + PROCESS_RECORD.USER_ID, socket.userId, true);
}

/** One character a byte: a key that a `Map` can compare. */
function encodeKey({ words, port }: ListedSocket, protocol: number): string {
  const key = new DataView(new ArrayBuffer(BOUND_KEY.BYTES));
  words.forEach((word, index) => {
    key.setUint32(BOUND_KEY.ADDRESS + index * 4, word, true);
  });
  key.setUint16(BOUND_KEY.PORT, port, true);
  key.setUint16(BOUND_KEY.PROTOCOL, protocol, true);
  return Buffer.from(key.buffer).toString('latin1');
}

/** Whose a socket is: the tracker knows, or /proc. */
class Owners {
  readonly #attribute = allocate(LOOKUP.BYTES);
  readonly #key = allocate(COOKIE_BYTES);
  readonly #value = allocate(OWNER_BYTES);
  #found: ProcSockets | undefined;

  constructor(fd: number) {
    const { view } = this.#attribute;
    view.setUint32(LOOKUP.MAP_FD, fd, true);
    view.setBigUint64(LOOKUP.KEY, this.#key.address, true);
    view.setBigUint64(LOOKUP.VALUE, this.#value.address, true);
  }

  /** @returns what begins with a `PROCESS_RECORD`, valid until the next call; undefined where unknown */
  find({ cookie, inode }: ListedSocket): Uint8Array | undefined {
    this.#key.view.setBigUint64(0, cookie, true);
    const { errno } = callBpf(BPF_COMMAND.BPF_MAP_LOOKUP_ELEM, this.#attribute.bytes);
    const { view, bytes } = this.#value;
    if (errno === 0 && view.getUint32(PROCESS_RECORD.PROCESS_ID, true) !== 0) return bytes;
    return this.#walk().sockets.get(String(inode))?.process.record;
  }

  /** Now, not a little at a time: what is blocked from here on may depend on the process. */
  #walk(): ProcSockets {
    if (this.#found) return this.#found;
    this.#found = new ProcSockets();
    for (const _ of this.#found.walk());
    return this.#found;
  }
}
