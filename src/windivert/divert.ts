/**
 * The nine functions of WinDivert's API (WinDivert manual, section "Programming API").
 *
 * What returns FALSE there throws here, a {@link DivertError} whose `win32` is what GetLastError()
 * would say.
 *
 * @module
 */
import { invalidParameter, type OpenOptions, type ParamName } from '../divert/options.ts';
import { open } from '../open.ts';
import { WINDIVERT_ADDRESS } from './address.ts';
import {
  WINDIVERT_SHUTDOWN_BOTH,
  WINDIVERT_SHUTDOWN_RECV,
  WINDIVERT_SHUTDOWN_SEND,
} from './constants.ts';
import { resolveFlags } from './flags.ts';
import { HANDLE } from './handle.ts';

/** Where a handle works: what WinDivert has no argument for. */
export type WinDivertOptions = Pick<OpenOptions, 'namespace' | 'signal' | 'backend'>;

/** What a batch received. */
export interface WinDivertReceived {
  /** Bytes written to the buffer. */
  readonly recvLen: number;
  /** Bytes of addresses written: `WINDIVERT_ADDRESS.SIZE` times the number of packets. */
  readonly addrLen: number;
}

const PARAMS: readonly ParamName[] = [
  'queueLength',
  'queueTimeMs',
  'queueSizeBytes',
  'versionMajor',
  'versionMinor',
];
const NO_BYTES = new Uint8Array(0);

/**
 * Opens a handle: from now on, packets that match the filter come to it.
 *
 * @param filter filter text or object string
 * @param layer `WINDIVERT_LAYER_*`
 * @param priority `WINDIVERT_PRIORITY_LOWEST`..`WINDIVERT_PRIORITY_HIGHEST`; higher sees packets first
 * @param flags `WINDIVERT_FLAG_*`
 * @param options where to work; WinDivert has nothing like it
 * @throws {@link DivertError} 87 for a filter that does not compile and for arguments out of range
 * @throws {@link UnsupportedError} naming a missing capability or kernel feature, and what to do
 */
export async function WinDivertOpen(
  filter: string,
  layer: number,
  priority: number,
  flags: number | bigint,
  options: WinDivertOptions = {},
): Promise<HANDLE> {
  const resolved = resolveFlags(layer, flags);
  return new HANDLE(await open(filter, { ...options, ...resolved, priority }), resolved);
}

/**
 * Takes the next packet, waiting for it if need be.
 *
 * @param packet where it goes; `WINDIVERT_MTU_MAX` bytes hold every packet
 * @param address where its address goes
 * @returns its length in bytes
 * @throws {@link InsufficientBufferError} 122 when it does not fit; what fits, and the address, are written
 * @throws {@link DivertError} 232 once receiving is shut down and nothing is queued, 6 when the handle is
 * closed, 87 on a handle that receives nothing
 */
export async function WinDivertRecv(
  handle: HANDLE,
  packet: Uint8Array | null,
  address: WINDIVERT_ADDRESS | null = null,
): Promise<number> {
  return handle.receive(packet ?? NO_BYTES, address);
}

/**
 * Takes what is queued, as many packets as there are addresses and as the buffer holds, waiting for the
 * first if need be. They lie in the buffer without gaps: `WinDivertHelperParsePacket` finds the next.
 *
 * @param flags reserved, 0
 * @param address one address, or up to `WINDIVERT_BATCH_MAX`
 * @throws as {@link WinDivertRecv}
 */
export async function WinDivertRecvEx(
  handle: HANDLE,
  packet: Uint8Array | null,
  flags: number | bigint,
  address: WINDIVERT_ADDRESS | readonly WINDIVERT_ADDRESS[] | null,
): Promise<WinDivertReceived> {
  checkReserved(flags);
  if (address === null) {
    return { recvLen: await handle.receive(packet ?? NO_BYTES, null), addrLen: 0 };
  }
  const { recvLen, count } = await handle.receiveBatch(packet ?? NO_BYTES, toArray(address));
  return { recvLen, addrLen: count * WINDIVERT_ADDRESS.SIZE };
}

/**
 * Puts a packet back or in. With the address of a received packet, as it came or changed, that packet goes on
 * from where it was taken out, once; sent again, or with another address, it is a new packet.
 *
 * @param packet begins with it; its length is what its IP header says
 * @param address of it, `Outbound`, `Impostor`, the checksum flags and `Network` (inbound) count; a checksum whose
 * flag is 0 is computed, in a copy
 * @returns bytes put in
 * @throws {@link DivertError} 87 for bytes that are no IP packet and on a handle that cannot send, 232 once
 * sending is shut down, 1232 for an impostor packet without a hop left, 6 when the handle is closed
 */
export function WinDivertSend(
  handle: HANDLE,
  packet: Uint8Array,
  address: WINDIVERT_ADDRESS,
): number {
  return handle.send(packet, address);
}

/**
 * Puts several packets back or in.
 *
 * @param packet they lie in it without gaps
 * @param flags reserved, 0
 * @param address one for each, up to `WINDIVERT_BATCH_MAX`; ends with the shorter of the two
 * @returns bytes put in
 * @throws as {@link WinDivertSend}. Bytes that are no IP packet end the batch; a packet that the system
 * refuses does not, its error is thrown at the end
 */
export function WinDivertSendEx(
  handle: HANDLE,
  packet: Uint8Array,
  flags: number | bigint,
  address: WINDIVERT_ADDRESS | readonly WINDIVERT_ADDRESS[],
): number {
  checkReserved(flags);
  return handle.sendBatch(packet, toArray(address));
}

/**
 * Ends receiving or sending. What is queued can still be received.
 *
 * @param how `WINDIVERT_SHUTDOWN_*`
 * @throws {@link DivertError} 87 for another value, 6 when the handle is closed
 */
export function WinDivertShutdown(handle: HANDLE, how: number): void {
  if (!Number.isInteger(how) || how < WINDIVERT_SHUTDOWN_RECV || how > WINDIVERT_SHUTDOWN_BOTH) {
    throw invalidParameter(`WinDivertShutdown(${how}).`, 'Use WINDIVERT_SHUTDOWN_*.');
  }
  handle.shutdown((how & WINDIVERT_SHUTDOWN_RECV) !== 0, (how & WINDIVERT_SHUTDOWN_SEND) !== 0);
}

/**
 * Ends the handle. Waiting receives fail; what is queued goes on its way. `handle.closed` tells when
 * nothing is left in the kernel.
 *
 * @throws {@link DivertError} 6 when it is closed already
 */
export function WinDivertClose(handle: HANDLE): void {
  handle.close();
}

/**
 * Sets a parameter.
 *
 * @param param `WINDIVERT_PARAM_QUEUE_*`
 * @throws {@link DivertError} 87 out of range, or for another parameter
 */
export function WinDivertSetParam(handle: HANDLE, param: number, value: number | bigint): void {
  handle.handle.setParam(paramName(param), Number(value));
}

/**
 * Value of a parameter.
 *
 * @param param `WINDIVERT_PARAM_*`
 * @throws {@link DivertError} 87 for a parameter that there is not
 */
export function WinDivertGetParam(handle: HANDLE, param: number): number {
  return handle.handle.getParam(paramName(param));
}

function paramName(param: number): ParamName {
  const name = PARAMS[param];
  if (name === undefined) throw invalidParameter(`There is no parameter ${param}.`);
  return name;
}

function checkReserved(flags: number | bigint): void {
  if (BigInt(flags) !== 0n) throw invalidParameter(`Flags ${flags} of a batch.`, 'They must be 0.');
}

function toArray(
  address: WINDIVERT_ADDRESS | readonly WINDIVERT_ADDRESS[],
): readonly WINDIVERT_ADDRESS[] {
  return address instanceof WINDIVERT_ADDRESS ? [address] : address;
}
