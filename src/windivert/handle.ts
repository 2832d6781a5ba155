/**
 * What is behind a `HANDLE`: a handle of this package, and the packets a program has a copy of.
 *
 * @module
 */
import type { NetworkHandle } from '../divert/network-handle.ts';
import { invalidParameter, type OpenOptions } from '../divert/options.ts';
import { checkOutgoing } from '../divert/outgoing.ts';
import { DivertError } from '../errors.ts';
import type { Layer } from '../packet/address.ts';
import { CHANGES } from '../packet/header-view.ts';
import type { Packet } from '../packet/packet.ts';
import type { WINDIVERT_ADDRESS } from './address.ts';
import { WINDIVERT_BATCH_MAX } from './constants.ts';
import { dropHeld, HeldPackets } from './held-packets.ts';
import { InsufficientBufferError } from './insufficient-buffer-error.ts';

/** Checksums are as the caller says, whatever changed. */
const AS_GIVEN = CHANGES.IP_ASSIGNED | CHANGES.TRANSPORT_ASSIGNED;

/** A handle that `WinDivertOpen` opened. */
export class HANDLE {
  /** The same handle in this package's own API: statistics, changing the filter. */
  readonly handle: NetworkHandle;
  readonly #layer: Layer;
  readonly #takes: boolean;
  readonly #canSend: boolean;
  readonly #held: HeldPackets;
  /** Received, but without room in the buffer of the receive that got them. */
  readonly #waiting: Packet[] = [];
  #sendShut = false;
  #closed: Promise<void> | undefined;

  /** @internal use `WinDivertOpen` */
  constructor(handle: NetworkHandle, options: OpenOptions & { readonly layer: Layer }) {
    this.handle = handle;
    this.#layer = options.layer;
    this.#takes = options.mode === 'divert';
    this.#canSend = options.access === 'both';
    this.#held = new HeldPackets(handle);
  }

  /** Settles when everything is closed; undefined before `WinDivertClose`. */
  get closed(): Promise<void> | undefined {
    return this.#closed;
  }

  /** @internal one packet; returns the bytes written */
  async receive(buffer: Uint8Array, address: WINDIVERT_ADDRESS | null): Promise<number> {
    this.#checkOpen();
    const packet = this.#waiting.shift() ?? (await this.handle.receive());
    if (!packet) throw this.#ended();
    return this.#deliver(packet, buffer, address);
  }

  /** @internal packets into `buffer` without gaps; returns bytes and packets written */
  async receiveBatch(
    buffer: Uint8Array,
    addresses: readonly WINDIVERT_ADDRESS[],
  ): Promise<{ recvLen: number; count: number }> {
    this.#checkOpen();
    if (addresses.length === 0 || addresses.length > WINDIVERT_BATCH_MAX) {
      throw invalidParameter(`A receive into ${addresses.length} addresses.`, 'Use 1 to 255.');
    }
    if (this.#waiting.length === 0) await this.#fillWaiting(addresses.length);
    let recvLen = 0;
    let count = 0;
    for (const address of addresses) {
      const packet = this.#waiting[0];
      if (!packet || (count > 0 && recvLen + packet.length > buffer.length)) break;
      this.#waiting.shift();
      recvLen += this.#deliver(packet, buffer.subarray(recvLen), address);
      count++;
    }
    if (count === 0) throw this.#ended();
    return { recvLen, count };
  }

  /**
   * @internal puts one packet in
   * @param bytes begin with it
   * @returns its length
   */
  send(bytes: Uint8Array, address: WINDIVERT_ADDRESS): number {
    this.#checkSend();
    const packet = checkOutgoing(bytes);
    this.#sendPacket(packet, address);
    return packet.length;
  }

  /** @internal packets without gaps, each with its address; returns the bytes put in */
  sendBatch(bytes: Uint8Array, addresses: readonly WINDIVERT_ADDRESS[]): number {
    this.#checkSend();
    if (addresses.length > WINDIVERT_BATCH_MAX) {
      throw invalidParameter(`A batch of ${addresses.length} packets.`, 'It has 255 at most.');
    }
    let sent = 0;
    let offset = 0;
    let refused: { error: unknown } | undefined;
    for (const address of addresses) {
      if (offset === bytes.length) break;
      const packet = checkOutgoing(bytes.subarray(offset));
      offset += packet.length;
      try {
        this.#sendPacket(packet, address);
        sent += packet.length;
      } catch (error) {
        // One that the system refuses does not stop the others.
        refused ??= { error };
      }
    }
    if (refused) throw refused.error;
    return sent;
  }

  /** @internal */
  shutdown(receive: boolean, send: boolean): void {
    this.#checkOpen();
    // Sending is shut here, not below: what waits is still put back when the handle closes.
    this.#sendShut ||= send;
    if (receive) this.handle.shutdown('receive');
  }

  /** @internal */
  close(): void {
    this.#checkOpen();
    this.#held.clear();
    try {
      if (this.#takes && this.#canSend) {
        for (const packet of this.#waiting) this.handle.send(packet);
      }
    } finally {
      this.#waiting.length = 0;
      this.#closed = this.handle.close();
    }
  }

  #checkOpen(): void {
    if (this.#closed) throw new DivertError('closed', 'The handle is closed.');
  }

  #checkSend(): void {
    this.#checkOpen();
    if (this.#sendShut) throw new DivertError('no-data', 'Sending was shut down.');
  }

  #ended(): DivertError {
    if (this.#closed) return new DivertError('closed', 'The handle was closed.');
    return new DivertError('no-data', 'Receiving was shut down, and nothing is queued.');
  }

  async #fillWaiting(maxPackets: number): Promise<void> {
    const batches = this.handle.batches(maxPackets)[Symbol.asyncIterator]();
    const { value } = await batches.next();
    for (const packet of value ?? []) this.#waiting.push(packet.retain());
    await batches.return?.();
  }

  /** Copies a packet to the program. */
  #deliver(received: Packet, buffer: Uint8Array, address: WINDIVERT_ADDRESS | null): number {
    const isHeld = this.#takes && this.#canSend;
    const packet = isHeld ? received.retain() : received;
    const { memory, offset, length } = packet;
    const recvLen = Math.min(length, buffer.length);
    buffer.set(memory.subarray(offset, offset + recvLen));
    address?.assign(packet.address);
    if (isHeld) {
      const { timestamp } = packet.address;
      const token = this.#held.add(packet, timestamp);
      if (address) address.Reserved2 = token;
    } else if (this.#takes) {
      dropHeld(this.handle, packet);
    }
    if (recvLen < length) throw new InsufficientBufferError(recvLen, length);
    return recvLen;
  }

  #sendPacket(bytes: Uint8Array, address: WINDIVERT_ADDRESS): void {
    const token = address.Reserved2;
    const held = token === 0 ? undefined : this.#held.find(token, address.Timestamp);
    if (!held || familyOf(held.memory, held.offset) !== familyOf(bytes, 0)) {
      this.#inject(bytes, address);
      if (held) this.#held.drop(token);
    } else {
      this.#sendHeld(held, bytes, address);
      this.#held.delete(token);
    }
  }

  #sendHeld(packet: Packet, bytes: Uint8Array, address: WINDIVERT_ADDRESS): void {
    const { memory, offset, length } = packet;
    if (Buffer.compare(bytes, memory.subarray(offset, offset + length)) !== 0) {
      packet.replace(bytes.slice());
      packet.mark(AS_GIVEN);
    }
    const to = packet.address;
    to.outbound = address.Outbound === 1;
    to.impostor = address.Impostor === 1;
    to.ipChecksum = address.IPChecksum === 1;
    to.tcpChecksum = address.TCPChecksum === 1;
    to.udpChecksum = address.UDPChecksum === 1;
    to.interfaceIndex = address.Network.IfIdx;
    to.subInterfaceIndex = address.Network.SubIfIdx;
    this.handle.send(packet);
  }

  /** Puts in bytes nobody holds a packet for. A copy: checksums are written into it. */
  #inject(bytes: Uint8Array, address: WINDIVERT_ADDRESS): void {
    this.handle.send(bytes.slice(), {
      layer: this.#layer,
      outbound: address.Outbound,
      impostor: address.Impostor,
      ipChecksum: address.IPChecksum,
      tcpChecksum: address.TCPChecksum,
      udpChecksum: address.UDPChecksum,
      interfaceIndex: address.Network.IfIdx,
      subInterfaceIndex: address.Network.SubIfIdx,
    });
  }
}

/** IP version of a packet. */
function familyOf(memory: Uint8Array, offset: number): number {
  return (memory[offset] ?? 0) >> 4;
}
