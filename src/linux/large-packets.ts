/**
 * Super-packets: what the kernel does with one that was changed.
 *
 * It cuts it into segments of the size it had before, makes their checksums, and drops what is not
 * longer than one segment. That size is known to it alone: to a UDP super-packet, which is a train
 * of datagrams, a change would have unknown ends.
 *
 * @module
 */
import { UnsupportedError } from '../errors.ts';
import { PacketScan, scanPacket } from '../packet/layout.ts';

const scan: PacketScan = new PacketScan();

/**
 * Refuses a change that the kernel would make something else of.
 *
 * @param bytes of a super-packet, changed
 * @throws {@link UnsupportedError} when it is not TCP
 */
export function checkChangedSuperPacket(bytes: Uint8Array): void {
  if (scanPacket(bytes, 0, bytes.length, scan) && scan.tcp >= 0) return;
  throw new UnsupportedError(
    'changed super-packets other than TCP',
    `A super-packet of ${bytes.length} bytes that is not TCP cannot be changed: where one of its datagrams ends is known to the kernel alone.`,
    { hint: 'Send it unchanged, or divert such traffic with a handle without largePackets.' },
  );
}
