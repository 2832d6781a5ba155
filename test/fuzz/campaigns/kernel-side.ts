/** What comes from the kernel, as a kernel of ours never sends it: netlink, queue messages, lists, records. */

import {
  decodeFlowEvent,
  decodeReflectEvent,
  decodeSocketEvent,
  fillFromSocketEvent,
} from '../../../src/divert/event-record.ts';
import { MatchInput } from '../../../src/filter/match-input.ts';
import { OWNER_PART_BYTES, readOwner } from '../../../src/linux/attribution/owner-part.ts';
import { parseAttributes, readNumber, readString } from '../../../src/linux/netlink/attribute.ts';
import { NLMSG, parseAcknowledgement, parseReplies } from '../../../src/linux/netlink/message.ts';
import { STRIDE_BYTES } from '../../../src/linux/nfqueue/chunk.ts';
import { QueueReceiver } from '../../../src/linux/nfqueue/receiver.ts';
import { isHandleRecord } from '../../../src/linux/registry/handle-record.ts';
import { parseSockets } from '../../../src/linux/sockets/proc-net.ts';
import { REFLECT_EVENT, SOCKET_EVENT } from '../../../src/packet/event-layout.ts';
import { Packet } from '../../../src/packet/packet.ts';
import { ipv4, tcp } from '../../helpers/build-packet.ts';
import { DatagramPair } from '../../helpers/datagram-pair.ts';
import type { Random } from '../../helpers/random.ts';
import type { Campaign } from '../campaign.ts';
import { expectInside, mutateBytes } from '../mutate.ts';

const hex = (digits: string): Uint8Array =>
  Uint8Array.from(Buffer.from(digits.replaceAll(/\s/g, ''), 'hex'));

const REFUSAL = hex(`3c000000 02000003 05000000 00000000 feffffff 20000000 02030500 05000000
  00000000 0d000100 6e6f2063 68616900 00000000 08000200 14000000`);

/** Datagrams of several messages, refusals with the kernel's own words among them. */
export const NETLINK: Campaign = {
  name: 'netlink',
  generate: (random) => {
    const count = random.between(1, 3);
    const datagram = Buffer.concat(Array.from({ length: count }, () => REFUSAL));
    return mutateBytes(random, datagram);
  },
  check: (input) => {
    expectInside(input as Uint8Array, (bytes) =>
      parseReplies(bytes).map((reply) => [
        reply,
        reply.type === NLMSG.ERROR ? parseAcknowledgement(reply) : null,
        [...parseAttributes(reply.payload)].map(([type, value]) => [
          type,
          readString(value),
          readNumber(value),
        ]),
      ]),
    );
  },
};

/** Attributes of a message as nfnetlink_queue sends them. */
function queueMessage(random: Random): Uint8Array {
  const packet = ipv4({ protocol: 6 }, tcp({ destinationPort: 80 }));
  const attribute = (type: number, payload: Uint8Array): Uint8Array => {
    const bytes = new Uint8Array((payload.length + 7) & ~3);
    const view = new DataView(bytes.buffer);
    view.setUint16(0, payload.length + 4, true);
    view.setUint16(2, type, true);
    bytes.set(payload, 4);
    return bytes;
  };
  const attributes = Buffer.concat([
    attribute(1, hex('00000001 0800 03 00')),
    attribute(3, hex('6e640000')),
    attribute(5, hex('00000002')),
    attribute(6, hex('00000001')),
    ...(random.chance(30) ? [attribute(13, hex('0002 0000'))] : []),
    ...(random.chance(30) ? [attribute(14, hex('00000003'))] : []),
    attribute(10, packet),
  ]);
  const header = new Uint8Array(20);
  const view = new DataView(header.buffer);
  view.setUint32(0, header.length + attributes.length, true);
  view.setUint16(4, random.chance(85) ? 0x0300 : 2, true);
  header[16] = random.pick([2, 10]);
  return new Uint8Array(Buffer.concat([header, attributes]));
}

let pair: { socket: DatagramPair; receiver: QueueReceiver } | undefined;

/** Messages of a queue, read from a socket as they are. */
export const QUEUE: Campaign = {
  name: 'queue',
  generate: (random) => mutateBytes(random, queueMessage(random)),
  check: (input) => {
    pair ??= newPair();
    const { socket, receiver } = pair;
    const message = input as Uint8Array;
    socket.send(message);
    receiver.read(1n, (slot) => {
      try {
        const start = slot.offset % STRIDE_BYTES;
        const isInside = start + slot.length <= message.length;
        if (slot.length > 0 && !isInside)
          throw new Error(`${start} + ${slot.length} of ${message.length}`);
        const packet = new Packet(slot.memory.slice(slot.offset, slot.offset + slot.length), {});
        void [packet.ip, packet.tcp, packet.payload];
      } finally {
        slot.release();
      }
    });
  },
};

function newPair(): { socket: DatagramPair; receiver: QueueReceiver } {
  const socket = new DatagramPair();
  return { socket, receiver: new QueueReceiver(socket.readingFd) };
}

const RECORD_BYTES = SOCKET_EVENT.BYTES + 200;

/** Records of rings and of others' maps. */
export const RECORDS: Campaign = {
  name: 'records',
  generate: (random) => {
    const record = new Uint8Array(random.between(SOCKET_EVENT.BYTES, RECORD_BYTES));
    const view = new DataView(record.buffer);
    record.set(random.bytes(SOCKET_EVENT.BYTES));
    if (random.chance(70)) {
      view.setUint32(REFLECT_EVENT.OBJECT_LENGTH, random.below(record.length), true);
      view.setUint32(REFLECT_EVENT.TEXT_LENGTH, random.below(record.length), true);
    }
    return record;
  },
  check: (input) => {
    // Programs reserve whole records.
    if (input.length < SOCKET_EVENT.BYTES) return;
    expectInside(input as Uint8Array, (bytes) => {
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      fillFromSocketEvent(new MatchInput(), view);
      const owner = readOwner(bytes, bytes.length - OWNER_PART_BYTES);
      return [
        decodeFlowEvent(view),
        decodeSocketEvent(view),
        decodeReflectEvent(view),
        isHandleRecord(bytes),
        owner,
      ];
    });
  },
};

const PROC_NET_TCP = new TextEncoder().encode(`  sl  local_address rem_address   st tx_queue
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12345 1
   1: 00000000000000000000000001000000:0016 0000000000000000FFFF00000100007F:D431 01 0:0 0:0 0 0 0 7
`);

/** Lists of /proc. */
export const PROC: Campaign = {
  name: 'proc-lists',
  generate: (random) => mutateBytes(random, PROC_NET_TCP),
  check: (input) => {
    void parseSockets(Buffer.from(input as Uint8Array).toString('latin1'));
  },
};
