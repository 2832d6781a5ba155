// The loop of WinDivert's manual: receive a packet, change it, send it. Letters of datagrams become
// capitals. Compare it with the C program, line by line.
//
//   sudo node examples/windivert-loop.ts ['outbound and udp.DstPort == 5000']

import { DivertError } from 'netdivert';
import {
  ERROR_NO_DATA,
  WINDIVERT_ADDRESS,
  WINDIVERT_LAYER_NETWORK,
  WINDIVERT_MTU_MAX,
  WINDIVERT_SHUTDOWN_RECV,
  WinDivertClose,
  WinDivertHelperCalcChecksums,
  WinDivertHelperNtohs,
  WinDivertHelperParsePacket,
  WinDivertOpen,
  WinDivertRecv,
  WinDivertSend,
  WinDivertShutdown,
} from 'netdivert/windivert';

const filter = process.argv[2] ?? 'udp.PayloadLength > 0';
const handle = await WinDivertOpen(filter, WINDIVERT_LAYER_NETWORK, 0, 0);
process.once('SIGINT', () => WinDivertShutdown(handle, WINDIVERT_SHUTDOWN_RECV));
console.log('capitals, Ctrl-C ends');

const packet = new Uint8Array(WINDIVERT_MTU_MAX);
const addr = new WINDIVERT_ADDRESS();
const ports = new Set<number>();

/** What GetLastError() would say. */
const lastError = (error: unknown): number | undefined =>
  error instanceof DivertError ? error.win32 : undefined;

// Main capture-modify-inject loop:
while (true) {
  let recvLen: number;
  try {
    recvLen = await WinDivertRecv(handle, packet, addr);
  } catch (error) {
    if (lastError(error) === ERROR_NO_DATA) break;
    console.error(`warning: failed to read packet (${lastError(error)})`);
    continue;
  }

  // Modify packet.
  const parsed = WinDivertHelperParsePacket(packet.subarray(0, recvLen));
  const data = parsed?.data;
  if (parsed?.udpHdr && data) {
    ports.add(WinDivertHelperNtohs(parsed.udpHdr.DstPort));
    data.forEach((byte, i) => {
      if (byte >= 0x61 && byte <= 0x7a) data[i] = byte - 0x20;
    });
  }

  WinDivertHelperCalcChecksums(packet.subarray(0, recvLen), addr, 0);
  try {
    WinDivertSend(handle, packet.subarray(0, recvLen), addr);
  } catch (error) {
    console.error(`warning: failed to send packet (${lastError(error)})`);
  }
}

WinDivertClose(handle);
console.log(`datagrams to ports ${[...ports].join(', ')}`);
