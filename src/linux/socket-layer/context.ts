/**
 * Numbers that programs of the socket layer compare with and return.
 *
 * @module
 */

/** IPPROTO_*, the ones that matter here. MPTCP sockets count as TCP. */
export const SOCKET_PROTOCOL = { TCP: 6, UDP: 17, MPTCP: 262 } as const;

/** What programs return: `sk_lookup` and hooks at control groups use the same numbers. */
export const RESULT = { BLOCK: 0, PASS: 1 } as const;
