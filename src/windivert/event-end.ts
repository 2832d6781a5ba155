/**
 * What is behind a `HANDLE` on the flow, socket and reflect layers.
 *
 * @module
 */
import type { DivertEvent } from '../divert/event.ts';
import { type FlowHandle, ReflectHandle, type SocketHandle } from '../divert/event-handle.ts';
import { invalidParameter } from '../divert/options.ts';
import type { AddressInit } from '../packet/address.ts';
import type { WINDIVERT_ADDRESS } from './address.ts';
import type { HandleEnd, Received } from './handle-end.ts';
import { InsufficientBufferError } from './insufficient-buffer-error.ts';

/** Events into a program's addresses. Only those of the reflect layer have data: the object string. */
export class EventEnd implements HandleEnd {
  readonly handle: FlowHandle | SocketHandle | ReflectHandle;

  constructor(handle: FlowHandle | SocketHandle | ReflectHandle) {
    this.handle = handle;
  }

  async receive(buffer: Uint8Array, address: WINDIVERT_ADDRESS | null): Promise<number | null> {
    const event = await this.handle.receive();
    if (!event) return null;
    address?.assign(toAddress(event));
    return 'object' in event ? writeObject(event.object, buffer) : 0;
  }

  /** On the reflect layer one: a second object might not fit, and it could not be given back. */
  async receiveBatch(
    buffer: Uint8Array,
    addresses: readonly WINDIVERT_ADDRESS[],
  ): Promise<Received | null> {
    const [first, ...others] = addresses;
    const recvLen = await this.receive(buffer, first ?? null);
    if (recvLen === null) return null;
    let count = 1;
    if (!(this.handle instanceof ReflectHandle)) {
      for (const address of others) {
        const event = this.handle.receiveQueued();
        if (!event) break;
        address.assign(toAddress(event));
        count++;
      }
    }
    return { recvLen, count };
  }

  send(): never {
    throw invalidParameter('Nothing can be sent on the flow, socket and reflect layers.');
  }

  sendBatch(): never {
    return this.send();
  }

  putBack(): void {}
}

/** With the NUL that ends a string in C. */
function writeObject(object: string, buffer: Uint8Array): number {
  const bytes = new TextEncoder().encode(`${object}\0`);
  const written = Math.min(bytes.length, buffer.length);
  buffer.set(bytes.subarray(0, written));
  if (written < bytes.length) throw new InsufficientBufferError(written, bytes.length);
  return written;
}

function toAddress(event: DivertEvent): AddressInit {
  if ('object' in event) {
    const { timestamp, processId, openedAt, layer, flags, priority } = event;
    const handle = { openTimestamp: openedAt, handleLayer: layer, flags, priority };
    return { layer: 'reflect', event: event.event, timestamp, processId, ...handle };
  }
  const { processName: _name, userId: _user, ...address } = event;
  // Flows are always sniffed.
  return { sniffed: true, ...address };
}
