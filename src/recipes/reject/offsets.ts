/**
 * Fields that answers are made of (RFC 791, RFC 8200, RFC 9293).
 *
 * @module
 */

/** By IP version: where the addresses are, and how long each is. */
export const IP_ADDRESSES = {
  4: { SOURCE: 12, DESTINATION: 16, BYTES: 4 },
  6: { SOURCE: 8, DESTINATION: 24, BYTES: 16 },
} as const;

export const TCP = {
  SOURCE_PORT: 0,
  DESTINATION_PORT: 2,
  SEQUENCE: 4,
  ACKNOWLEDGMENT: 8,
  DATA_OFFSET: 12,
  FLAGS: 13,
  FIN: 0x01,
  SYN: 0x02,
  RST: 0x04,
  ACK: 0x10,
  HEADER_BYTES: 20,
} as const;
