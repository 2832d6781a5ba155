/**
 * What is behind a `HANDLE` on the network and forward layers: a handle of this package, and the
 * packets a program has a copy of.
 *
 * @module
 */
import type { NetworkHandle } from '../divert/network-handle.ts';
import { invalidParameter, type OpenOptions } from '../divert/options.ts';
import { checkOutgoing } from '../divert/outgoing.ts';
import type { Layer } from '../packet/address.ts';
import { CHANGES } from '../packet/header-view.ts';
import type { Packet } from '../packet/packet.ts';
import type { WINDIVERT_ADDRESS } from './address.ts';
import { WINDIVERT_BATCH_MAX } from './constants.ts';
import type { HandleEnd, Received } from './handle-end.ts';
import { dropHeld, HeldPackets } from './held-packets.ts';
import { InsufficientBufferError } from './insufficient-buffer-error.ts';

/** Checksums are as the caller says, whatever changed. */
const AS_GIVEN = CHANGES.IP_ASSIGNED | CHANGES.TRANSPORT_ASSIGNED;

/** Packets in and out of a program's buffers. */
export class PacketEnd implements HandleEnd {
  readonly handle: NetworkHandle;
  readonly #layer: Layer;
  readonly #takes: boolean;
  readonly #canSend: boolean;
  readonly #held: HeldPackets;
  /** Received, but without room in the buffer of the receive that got them. */
  readonly #waiting: Packet[] = [];

  constructor(handle: NetworkHandle, options: OpenOptions & { readonly layer: Layer }) {
    this.handle = handle;
    this.#layer = options.layer;
    this.#takes = options.mode === 'divert';
    this.#canSend = options.access === 'both';
    this.#held = new HeldPackets(handle);
  }

  async receive(buffer: Uint8Array, address: WINDIVERT_ADDRESS | null): Promise<number | null> {
    const packet = this.#waiting.shift() ?? (await this.handle.receive());
    if (!packet) return null;
    return this.#deliver(packet, buffer, address);
  }

  async receiveBatch(
    buffer: Uint8Array,
    addresses: readonly WINDIVERT_ADDRESS[],
  ): Promise<Received | null> {
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
    if (count === 0) return null;
    return { recvLen, count };
  }

  send(bytes: Uint8Array, address: WINDIVERT_ADDRESS): number {
    const packet = checkOutgoing(bytes);
    this.#sendPacket(packet, address);
    return packet.length;
  }

  sendBatch(bytes: Uint8Array, addresses: readonly WINDIVERT_ADDRESS[]): number {
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

  putBack(): void {
    this.#held.clear();
    try {
      if (this.#takes && this.#canSend) {
        for (const packet of this.#waiting) this.handle.send(packet);
      }
    } finally {
      this.#waiting.length = 0;
    }
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
