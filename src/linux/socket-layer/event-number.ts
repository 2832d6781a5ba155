/**
 * Numbers of the socket layer's events (`WINDIVERT_EVENT_SOCKET_*`).
 *
 * @module
 */

export const SOCKET_EVENT_NUMBER = { bind: 3, connect: 4, listen: 5, accept: 6, close: 7 } as const;

export type SocketEventName = keyof typeof SOCKET_EVENT_NUMBER;
