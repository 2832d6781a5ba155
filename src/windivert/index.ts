/**
 * WinDivert 2.2 under its own names, to port programs line by line.
 *
 * Receiving and opening are promises; the rest is synchronous. Errors are thrown, with the Win32
 * number in `error.win32`.
 *
 * @module
 */
export { WINDIVERT_ADDRESS } from './address.ts';
export {
  WinDivertHelperHtonIPv6Address,
  WinDivertHelperHtonIpv6Address,
  WinDivertHelperHtonl,
  WinDivertHelperHtonll,
  WinDivertHelperHtons,
  WinDivertHelperNtohIPv6Address,
  WinDivertHelperNtohIpv6Address,
  WinDivertHelperNtohl,
  WinDivertHelperNtohll,
  WinDivertHelperNtohs,
} from './byte-order.ts';
export * from './constants.ts';
export {
  WINDIVERT_DATA_FLOW,
  WINDIVERT_DATA_NETWORK,
  WINDIVERT_DATA_REFLECT,
  WINDIVERT_DATA_SOCKET,
} from './data.ts';
export * from './divert.ts';
export type { HANDLE } from './handle.ts';
export * from './header-macros.ts';
export {
  WINDIVERT_ICMPHDR,
  WINDIVERT_ICMPV6HDR,
  WINDIVERT_IPHDR,
  WINDIVERT_IPV6HDR,
  WINDIVERT_TCPHDR,
  WINDIVERT_UDPHDR,
} from './headers.ts';
export * from './helpers.ts';
export { InsufficientBufferError } from './insufficient-buffer-error.ts';
export type { Bit, Words } from './structure.ts';
