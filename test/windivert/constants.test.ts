import { expect, test } from 'vitest';
import * as windivert from '../../src/windivert/index.ts';

/** Every number of windivert.h 2.2 and of winerror.h as the manual lists it. */
const CONSTANTS: Readonly<Record<string, number>> = {
  WINDIVERT_LAYER_NETWORK: 0,
  WINDIVERT_LAYER_NETWORK_FORWARD: 1,
  WINDIVERT_LAYER_FLOW: 2,
  WINDIVERT_LAYER_SOCKET: 3,
  WINDIVERT_LAYER_REFLECT: 4,
  WINDIVERT_EVENT_NETWORK_PACKET: 0,
  WINDIVERT_EVENT_FLOW_ESTABLISHED: 1,
  WINDIVERT_EVENT_FLOW_DELETED: 2,
  WINDIVERT_EVENT_SOCKET_BIND: 3,
  WINDIVERT_EVENT_SOCKET_CONNECT: 4,
  WINDIVERT_EVENT_SOCKET_LISTEN: 5,
  WINDIVERT_EVENT_SOCKET_ACCEPT: 6,
  WINDIVERT_EVENT_SOCKET_CLOSE: 7,
  WINDIVERT_EVENT_REFLECT_OPEN: 8,
  WINDIVERT_EVENT_REFLECT_CLOSE: 9,
  WINDIVERT_FLAG_SNIFF: 1,
  WINDIVERT_FLAG_DROP: 2,
  WINDIVERT_FLAG_RECV_ONLY: 4,
  WINDIVERT_FLAG_READ_ONLY: 4,
  WINDIVERT_FLAG_SEND_ONLY: 8,
  WINDIVERT_FLAG_WRITE_ONLY: 8,
  WINDIVERT_FLAG_NO_INSTALL: 16,
  WINDIVERT_FLAG_FRAGMENTS: 32,
  WINDIVERT_PARAM_QUEUE_LENGTH: 0,
  WINDIVERT_PARAM_QUEUE_TIME: 1,
  WINDIVERT_PARAM_QUEUE_SIZE: 2,
  WINDIVERT_PARAM_VERSION_MAJOR: 3,
  WINDIVERT_PARAM_VERSION_MINOR: 4,
  WINDIVERT_PARAM_MAX: 4,
  WINDIVERT_SHUTDOWN_RECV: 1,
  WINDIVERT_SHUTDOWN_SEND: 2,
  WINDIVERT_SHUTDOWN_BOTH: 3,
  WINDIVERT_SHUTDOWN_MAX: 3,
  WINDIVERT_PRIORITY_HIGHEST: 30000,
  WINDIVERT_PRIORITY_LOWEST: -30000,
  WINDIVERT_PARAM_QUEUE_LENGTH_DEFAULT: 4096,
  WINDIVERT_PARAM_QUEUE_LENGTH_MIN: 32,
  WINDIVERT_PARAM_QUEUE_LENGTH_MAX: 16384,
  WINDIVERT_PARAM_QUEUE_TIME_DEFAULT: 2000,
  WINDIVERT_PARAM_QUEUE_TIME_MIN: 100,
  WINDIVERT_PARAM_QUEUE_TIME_MAX: 16000,
  WINDIVERT_PARAM_QUEUE_SIZE_DEFAULT: 4 << 20,
  WINDIVERT_PARAM_QUEUE_SIZE_MIN: 65535,
  WINDIVERT_PARAM_QUEUE_SIZE_MAX: 32 << 20,
  WINDIVERT_BATCH_MAX: 255,
  WINDIVERT_MTU_MAX: 40 + 65535,
  WINDIVERT_HELPER_NO_IP_CHECKSUM: 1,
  WINDIVERT_HELPER_NO_ICMP_CHECKSUM: 2,
  WINDIVERT_HELPER_NO_ICMPV6_CHECKSUM: 4,
  WINDIVERT_HELPER_NO_TCP_CHECKSUM: 8,
  WINDIVERT_HELPER_NO_UDP_CHECKSUM: 16,
  ERROR_FILE_NOT_FOUND: 2,
  ERROR_ACCESS_DENIED: 5,
  ERROR_INVALID_HANDLE: 6,
  ERROR_INVALID_PARAMETER: 87,
  ERROR_INSUFFICIENT_BUFFER: 122,
  ERROR_NO_DATA: 232,
  ERROR_INVALID_IMAGE_HASH: 577,
  ERROR_DRIVER_FAILED_PRIOR_UNLOAD: 654,
  ERROR_IO_PENDING: 997,
  ERROR_SERVICE_DOES_NOT_EXIST: 1060,
  ERROR_HOST_UNREACHABLE: 1232,
  ERROR_DRIVER_BLOCKED: 1275,
  EPT_S_NOT_REGISTERED: 1753,
};

/** Functions of the header and its function-like macros. */
const FUNCTIONS = [
  ...['Open', 'Recv', 'RecvEx', 'Send', 'SendEx', 'Shutdown', 'Close', 'SetParam', 'GetParam'],
  ...['HelperHashPacket', 'HelperParsePacket', 'HelperCalcChecksums', 'HelperDecrementTTL'],
  ...['HelperParseIPv4Address', 'HelperParseIPv6Address'],
  ...['HelperFormatIPv4Address', 'HelperFormatIPv6Address'],
  ...['HelperCompileFilter', 'HelperEvalFilter', 'HelperFormatFilter'],
  ...['HelperNtohs', 'HelperHtons', 'HelperNtohl', 'HelperHtonl', 'HelperNtohll', 'HelperHtonll'],
  ...['HelperNtohIPv6Address', 'HelperHtonIPv6Address'],
  ...['HelperNtohIpv6Address', 'HelperHtonIpv6Address'],
].map((name) => `WinDivert${name}`);
const MACROS = [
  ...['FRAGOFF', 'MF', 'DF', 'RESERVED'].map((name) => `IPHDR_GET_${name}`),
  ...['FRAGOFF', 'MF', 'DF', 'RESERVED'].map((name) => `IPHDR_SET_${name}`),
  ...['IPV6HDR_GET_TRAFFICCLASS', 'IPV6HDR_GET_FLOWLABEL'],
  ...['IPV6HDR_SET_TRAFFICCLASS', 'IPV6HDR_SET_FLOWLABEL'],
].map((name) => `WINDIVERT_${name}`);
const STRUCTURES = [
  ...['ADDRESS', 'DATA_NETWORK', 'DATA_FLOW', 'DATA_SOCKET', 'DATA_REFLECT'],
  ...['IPHDR', 'IPV6HDR', 'ICMPHDR', 'ICMPV6HDR', 'TCPHDR', 'UDPHDR'],
].map((name) => `WINDIVERT_${name}`);

test('every name of the header, and no other number', () => {
  const exported = Object.entries(windivert);
  const numbers = exported.filter(([, value]) => typeof value === 'number');
  expect(Object.fromEntries(numbers)).toEqual(CONSTANTS);
  const others = exported.filter(([, value]) => typeof value !== 'number').map(([name]) => name);
  const wanted = [...FUNCTIONS, ...MACROS, ...STRUCTURES, 'InsufficientBufferError'];
  expect(others.sort()).toEqual(wanted.sort());
});
