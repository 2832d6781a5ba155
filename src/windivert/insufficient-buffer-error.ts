/**
 * The error of a receive whose buffer was too small.
 *
 * @module
 */
import { DivertError } from '../errors.ts';
import { WINDIVERT_ADDRESS } from './address.ts';

/**
 * `ERROR_INSUFFICIENT_BUFFER` (122) of `WinDivertRecv` and `WinDivertRecvEx`: the buffer was filled
 * with the beginning of the packet, and its address written. Who wants no more may ignore it.
 */
export class InsufficientBufferError extends DivertError {
  override readonly name: string = 'InsufficientBufferError';
  /** Bytes written to the buffer: its length. */
  readonly recvLen: number;
  /** Bytes of addresses written: one. */
  readonly addrLen: number = WINDIVERT_ADDRESS.SIZE;
  /** Bytes the packet has. */
  readonly packetLen: number;

  constructor(recvLen: number, packetLen: number) {
    super(
      'insufficient-buffer',
      `A packet of ${packetLen} bytes was received into a buffer of ${recvLen}.`,
      { hint: 'Use a buffer of WINDIVERT_MTU_MAX bytes, or ignore error.win32 122.' },
    );
    this.recvLen = recvLen;
    this.packetLen = packetLen;
  }
}
