/**
 * `HANDLE`: what `WinDivertOpen` gives.
 *
 * @module
 */
import { NetworkHandle } from '../divert/network-handle.ts';
import { invalidParameter, type OpenOptions } from '../divert/options.ts';
import { DivertError } from '../errors.ts';
import type { Handle } from '../open.ts';
import type { Layer } from '../packet/address.ts';
import type { WINDIVERT_ADDRESS } from './address.ts';
import { WINDIVERT_BATCH_MAX } from './constants.ts';
import { EventEnd } from './event-end.ts';
import type { HandleEnd, Received } from './handle-end.ts';
import { PacketEnd } from './packet-end.ts';

/** A handle that `WinDivertOpen` opened. */
export class HANDLE {
  readonly #end: HandleEnd;
  #sendShut = false;
  #closed: Promise<void> | undefined;

  /** @internal use `WinDivertOpen` */
  constructor(handle: Handle, options: OpenOptions & { readonly layer: Layer }) {
    this.#end =
      handle instanceof NetworkHandle ? new PacketEnd(handle, options) : new EventEnd(handle);
  }

  /** The same handle in this package's own API: statistics, changing the filter. */
  get handle(): Handle {
    return this.#end.handle;
  }

  /** Settles when everything is closed; undefined before `WinDivertClose`. */
  get closed(): Promise<void> | undefined {
    return this.#closed;
  }

  /** @internal one packet or event; returns the bytes written */
  async receive(buffer: Uint8Array, address: WINDIVERT_ADDRESS | null): Promise<number> {
    this.#checkOpen();
    const recvLen = await this.#end.receive(buffer, address);
    if (recvLen === null) throw this.#ended();
    return recvLen;
  }

  /** @internal several into `buffer` without gaps; returns bytes and addresses written */
  async receiveBatch(
    buffer: Uint8Array,
    addresses: readonly WINDIVERT_ADDRESS[],
  ): Promise<Received> {
    this.#checkOpen();
    if (addresses.length === 0 || addresses.length > WINDIVERT_BATCH_MAX) {
      throw invalidParameter(`A receive into ${addresses.length} addresses.`, 'Use 1 to 255.');
    }
    const received = await this.#end.receiveBatch(buffer, addresses);
    if (received === null) throw this.#ended();
    return received;
  }

  /** @internal puts the packet that `bytes` begin with in; returns its length */
  send(bytes: Uint8Array, address: WINDIVERT_ADDRESS): number {
    this.#checkSend();
    return this.#end.send(bytes, address);
  }

  /** @internal packets without gaps, each with its address; returns the bytes put in */
  sendBatch(bytes: Uint8Array, addresses: readonly WINDIVERT_ADDRESS[]): number {
    this.#checkSend();
    return this.#end.sendBatch(bytes, addresses);
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
    try {
      this.#end.putBack();
    } finally {
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
}
