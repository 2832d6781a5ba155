/**
 * `WinDivertHelperNtoh*` and `WinDivertHelperHton*`: between network byte order as it lies in memory,
 * read little-endian, and numbers. Every one is its own inverse.
 *
 * @module
 */
import type { Words } from './structure.ts';

/** Four words that can be written. */
type WritableWords = number[] | Uint32Array | Words;

/** @param x 16 bits */
export function WinDivertHelperNtohs(x: number): number {
  return ((x & 0xff) << 8) | ((x >>> 8) & 0xff);
}

/** @param x 16 bits */
export function WinDivertHelperHtons(x: number): number {
  return WinDivertHelperNtohs(x);
}

/** @param x 32 bits */
export function WinDivertHelperNtohl(x: number): number {
  return ((WinDivertHelperNtohs(x) << 16) | WinDivertHelperNtohs(x >>> 16)) >>> 0;
}

/** @param x 32 bits */
export function WinDivertHelperHtonl(x: number): number {
  return WinDivertHelperNtohl(x);
}

/** @param x 64 bits */
export function WinDivertHelperNtohll(x: bigint): bigint {
  const low = WinDivertHelperNtohl(Number(BigInt.asUintN(32, x)));
  const high = WinDivertHelperNtohl(Number(BigInt.asUintN(32, x >> 32n)));
  return (BigInt(low) << 32n) | BigInt(high);
}

/** @param x 64 bits */
export function WinDivertHelperHtonll(x: bigint): bigint {
  return WinDivertHelperNtohll(x);
}

/**
 * An IPv6 address of a header as words in host order, the least significant first.
 *
 * @param inAddr four words, e.g. `WINDIVERT_IPV6HDR.SrcAddr`
 * @param outAddr gets the result; may be `inAddr`
 * @returns `outAddr`
 */
export function WinDivertHelperNtohIPv6Address<T extends WritableWords = number[]>(
  inAddr: Iterable<number>,
  outAddr: T = [] as number[] as T,
): T {
  const [first = 0, second = 0, third = 0, fourth = 0] = inAddr;
  const out: WritableWords = outAddr;
  out[0] = WinDivertHelperNtohl(fourth);
  out[1] = WinDivertHelperNtohl(third);
  out[2] = WinDivertHelperNtohl(second);
  out[3] = WinDivertHelperNtohl(first);
  return outAddr;
}

/**
 * An IPv6 address as it lies in a header.
 *
 * @param inAddr four words in host order, the least significant first
 * @param outAddr gets the result; may be `inAddr`
 * @returns `outAddr`
 */
export function WinDivertHelperHtonIPv6Address<T extends WritableWords = number[]>(
  inAddr: Iterable<number>,
  outAddr?: T,
): T {
  return WinDivertHelperNtohIPv6Address(inAddr, outAddr);
}

/** Old name of {@link WinDivertHelperNtohIPv6Address}. */
export const WinDivertHelperNtohIpv6Address: typeof WinDivertHelperNtohIPv6Address =
  WinDivertHelperNtohIPv6Address;

/** Old name of {@link WinDivertHelperHtonIPv6Address}. */
export const WinDivertHelperHtonIpv6Address: typeof WinDivertHelperHtonIPv6Address =
  WinDivertHelperHtonIPv6Address;
