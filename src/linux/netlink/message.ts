/**
 * Netlink messages (linux/netlink.h, struct nlmsghdr) with the nfnetlink header
 * (linux/netfilter/nfnetlink.h, struct nfgenmsg) behind it, and the kernel's acknowledgements.
 *
 * @module
 */
import { ERRNO } from '../sys/constants.ts';
import { align4, concat, parseAttributes, readString } from './attribute.ts';

export const NLMSG_HEADER_BYTES = 16;
/** struct nfgenmsg: u8 family, u8 version, be16 resource id. */
export const NFGEN_HEADER_BYTES = 4;

export const NLMSG = { ERROR: 2, DONE: 3 } as const;

/** Message flags. */
export const NLM_F = {
  REQUEST: 0x1,
  ACK: 0x4,
  DUMP: 0x300,
  CREATE: 0x400,
  APPEND: 0x800,
  /** On an error reply: the original payload was left out. */
  CAPPED: 0x100,
  /** On an error reply: attributes with the kernel's own words follow. */
  ACK_TLVS: 0x200,
} as const;

const NLMSGERR_ATTR_MSG = 1;
const NLMSGERR_ATTR_OFFS = 2;

/** Offsets inside struct nlmsgerr: an errno below 0, and the header of the message it is about. */
const NLMSGERR = { ERROR: 0, MESSAGE: 4, BYTES: 20 } as const;
const NO_WORDS = { detail: undefined, offset: undefined } as const;

/** Offsets inside struct nlmsghdr. */
const LENGTH = 0;
const TYPE = 4;
const FLAGS = 6;
const SEQUENCE = 8;

/** One message with its nfnetlink header. */
export interface NetfilterMessage {
  /** Subsystem << 8 | message. */
  type: number;
  /** NLM_F_REQUEST is added. */
  flags: number;
  /** NFPROTO_* */
  family: number;
  /** Queue number, or the subsystem of a batch. */
  resource: number;
  attributes: readonly Uint8Array[];
}

/** Bytes of a message. */
export function encodeMessage(message: NetfilterMessage, sequence: number): Uint8Array {
  const header = new Uint8Array(NLMSG_HEADER_BYTES + NFGEN_HEADER_BYTES);
  const view = new DataView(header.buffer);
  view.setUint16(TYPE, message.type, true);
  view.setUint16(FLAGS, message.flags | NLM_F.REQUEST, true);
  view.setUint32(SEQUENCE, sequence, true);
  view.setUint8(NLMSG_HEADER_BYTES, message.family);
  view.setUint16(NLMSG_HEADER_BYTES + 2, message.resource, false);
  const bytes = concat([header, ...message.attributes]);
  new DataView(bytes.buffer).setUint32(LENGTH, bytes.length, true);
  return bytes;
}

/** A message received from the kernel; `payload` is a view behind the netlink header. */
export interface Reply {
  type: number;
  flags: number;
  sequence: number;
  payload: Uint8Array;
}

/** Splits a datagram into messages. */
export function parseReplies(bytes: Uint8Array): Reply[] {
  const replies: Reply[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let offset = 0;
  while (offset + NLMSG_HEADER_BYTES <= bytes.length) {
    const length = view.getUint32(offset + LENGTH, true);
    if (length < NLMSG_HEADER_BYTES || offset + length > bytes.length) break;
    replies.push({
      type: view.getUint16(offset + TYPE, true),
      flags: view.getUint16(offset + FLAGS, true),
      sequence: view.getUint32(offset + SEQUENCE, true),
      payload: bytes.subarray(offset + NLMSG_HEADER_BYTES, offset + length),
    });
    offset += align4(length);
  }
  return replies;
}

/** An acknowledgement: errno 0 is success. */
export interface Acknowledgement {
  errno: number;
  /** The kernel's own sentence (NETLINK_EXT_ACK). */
  detail: string | undefined;
  /** Offset of the offending attribute inside the request. */
  offset: number | undefined;
}

/** Reads the payload of an NLMSG_ERROR message (struct nlmsgerr and its attributes). */
export function parseAcknowledgement({ flags, payload }: Reply): Acknowledgement {
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  // Shorter than the kernel's: no success.
  if (payload.length < NLMSGERR.BYTES) return { ...NO_WORDS, errno: ERRNO.EPROTO };
  const errno = -view.getInt32(NLMSGERR.ERROR, true);
  if (!(flags & NLM_F.ACK_TLVS)) return { ...NO_WORDS, errno };
  const quoted = flags & NLM_F.CAPPED ? NLMSG_HEADER_BYTES : view.getUint32(NLMSGERR.MESSAGE, true);
  const attributes = parseAttributes(payload.subarray(NLMSGERR.MESSAGE + align4(quoted)));
  const detail = attributes.get(NLMSGERR_ATTR_MSG);
  const offset = attributes.get(NLMSGERR_ATTR_OFFS);
  return {
    errno,
    detail: detail && readString(detail),
    offset:
      offset && offset.length >= 4
        ? new DataView(offset.buffer, offset.byteOffset, offset.byteLength).getUint32(0, true)
        : undefined,
  };
}
