/**
 * What a `HANDLE` does its work with: packets, or events.
 *
 * @module
 */
import type { Handle } from '../open.ts';
import type { WINDIVERT_ADDRESS } from './address.ts';

/** What a receive of several wrote. */
export interface Received {
  /** Bytes in the buffer. */
  readonly recvLen: number;
  /** Addresses, and so packets or events. */
  readonly count: number;
}

/** Between a handle of this package and the buffers of a program. */
export interface HandleEnd {
  readonly handle: Handle;
  /**
   * One packet or event.
   *
   * @returns bytes written, null once nothing more comes
   */
  receive(buffer: Uint8Array, address: WINDIVERT_ADDRESS | null): Promise<number | null>;
  /** Several, into `buffer` without gaps, each with an address; null once nothing more comes. */
  receiveBatch(
    buffer: Uint8Array,
    addresses: readonly WINDIVERT_ADDRESS[],
  ): Promise<Received | null>;
  /**
   * Puts one packet in.
   *
   * @param bytes begin with it
   * @returns its length
   */
  send(bytes: Uint8Array, address: WINDIVERT_ADDRESS): number;
  /** Puts packets without gaps in, each with its address; returns the bytes put in. */
  sendBatch(bytes: Uint8Array, addresses: readonly WINDIVERT_ADDRESS[]): number;
  /** Before the handle closes: sends on what was received and not handed out. */
  putBack(): void;
}
