/**
 * The constants of windivert.h 2.2 and the Win32 error numbers WinDivert documents, under their
 * own names.
 *
 * @module
 */

/** Layers: the second argument of `WinDivertOpen`, and `WINDIVERT_ADDRESS.Layer`. */
export const WINDIVERT_LAYER_NETWORK = 0;
export const WINDIVERT_LAYER_NETWORK_FORWARD = 1;
export const WINDIVERT_LAYER_FLOW = 2;
export const WINDIVERT_LAYER_SOCKET = 3;
export const WINDIVERT_LAYER_REFLECT = 4;

/** Events: `WINDIVERT_ADDRESS.Event`. */
export const WINDIVERT_EVENT_NETWORK_PACKET = 0;
export const WINDIVERT_EVENT_FLOW_ESTABLISHED = 1;
export const WINDIVERT_EVENT_FLOW_DELETED = 2;
export const WINDIVERT_EVENT_SOCKET_BIND = 3;
export const WINDIVERT_EVENT_SOCKET_CONNECT = 4;
export const WINDIVERT_EVENT_SOCKET_LISTEN = 5;
export const WINDIVERT_EVENT_SOCKET_ACCEPT = 6;
export const WINDIVERT_EVENT_SOCKET_CLOSE = 7;
export const WINDIVERT_EVENT_REFLECT_OPEN = 8;
export const WINDIVERT_EVENT_REFLECT_CLOSE = 9;

/** Flags of `WinDivertOpen`. */
export const WINDIVERT_FLAG_SNIFF = 0x0001;
export const WINDIVERT_FLAG_DROP = 0x0002;
export const WINDIVERT_FLAG_RECV_ONLY = 0x0004;
export const WINDIVERT_FLAG_READ_ONLY = 0x0004;
export const WINDIVERT_FLAG_SEND_ONLY = 0x0008;
export const WINDIVERT_FLAG_WRITE_ONLY = 0x0008;
export const WINDIVERT_FLAG_NO_INSTALL = 0x0010;
export const WINDIVERT_FLAG_FRAGMENTS = 0x0020;

/** Parameters of `WinDivertGetParam` and `WinDivertSetParam`; the versions are read only. */
export const WINDIVERT_PARAM_QUEUE_LENGTH = 0;
export const WINDIVERT_PARAM_QUEUE_TIME = 1;
export const WINDIVERT_PARAM_QUEUE_SIZE = 2;
export const WINDIVERT_PARAM_VERSION_MAJOR = 3;
export const WINDIVERT_PARAM_VERSION_MINOR = 4;
export const WINDIVERT_PARAM_MAX = 4;

/** What `WinDivertShutdown` shuts down. */
export const WINDIVERT_SHUTDOWN_RECV = 1;
export const WINDIVERT_SHUTDOWN_SEND = 2;
export const WINDIVERT_SHUTDOWN_BOTH = 3;
export const WINDIVERT_SHUTDOWN_MAX = 3;

/** Range of the third argument of `WinDivertOpen`; the highest sees packets first. */
export const WINDIVERT_PRIORITY_HIGHEST = 30000;
export const WINDIVERT_PRIORITY_LOWEST = -30000;

/** Packets that wait for `WinDivertRecv`. */
export const WINDIVERT_PARAM_QUEUE_LENGTH_DEFAULT = 4096;
export const WINDIVERT_PARAM_QUEUE_LENGTH_MIN = 32;
export const WINDIVERT_PARAM_QUEUE_LENGTH_MAX = 16384;
/** How long one waits, in milliseconds. */
export const WINDIVERT_PARAM_QUEUE_TIME_DEFAULT = 2000;
export const WINDIVERT_PARAM_QUEUE_TIME_MIN = 100;
export const WINDIVERT_PARAM_QUEUE_TIME_MAX = 16000;
/** How many bytes wait. */
export const WINDIVERT_PARAM_QUEUE_SIZE_DEFAULT = 4194304;
export const WINDIVERT_PARAM_QUEUE_SIZE_MIN = 65535;
export const WINDIVERT_PARAM_QUEUE_SIZE_MAX = 33554432;

/** Most packets of one `WinDivertRecvEx` or `WinDivertSendEx`. */
export const WINDIVERT_BATCH_MAX = 255;
/** Longest packet in bytes: 40 + 65535, an IPv6 header and the longest payload. */
export const WINDIVERT_MTU_MAX = 65575;

/** Flags of `WinDivertHelperCalcChecksums`: what it leaves alone. */
export const WINDIVERT_HELPER_NO_IP_CHECKSUM = 1;
export const WINDIVERT_HELPER_NO_ICMP_CHECKSUM = 2;
export const WINDIVERT_HELPER_NO_ICMPV6_CHECKSUM = 4;
export const WINDIVERT_HELPER_NO_TCP_CHECKSUM = 8;
export const WINDIVERT_HELPER_NO_UDP_CHECKSUM = 16;

/** Win32 error numbers (winerror.h): `error.win32` of what is thrown here, on every system. */
export const ERROR_FILE_NOT_FOUND = 2;
export const ERROR_ACCESS_DENIED = 5;
/** The handle is closed. */
export const ERROR_INVALID_HANDLE = 6;
export const ERROR_INVALID_PARAMETER = 87;
export const ERROR_INSUFFICIENT_BUFFER = 122;
/** Shut down, and nothing is queued. */
export const ERROR_NO_DATA = 232;
export const ERROR_INVALID_IMAGE_HASH = 577;
export const ERROR_DRIVER_FAILED_PRIOR_UNLOAD = 654;
export const ERROR_IO_PENDING = 997;
export const ERROR_SERVICE_DOES_NOT_EXIST = 1060;
/** An impostor packet has no hop left. */
export const ERROR_HOST_UNREACHABLE = 1232;
export const ERROR_DRIVER_BLOCKED = 1275;
export const EPT_S_NOT_REGISTERED = 1753;
