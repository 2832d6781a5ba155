// WinDivert's batched loop: up to 255 packets in one receive, all of them sent at once. Pings are
// answered by nobody: they are taken out of the batch; everything else passes.
//
//   sudo node examples/windivert-batch.ts [filter]

import { DivertError } from 'netdivert';
import {
  ERROR_NO_DATA,
  WINDIVERT_ADDRESS,
  WINDIVERT_BATCH_MAX,
  WINDIVERT_LAYER_NETWORK,
  WINDIVERT_MTU_MAX,
  WINDIVERT_PARAM_QUEUE_LENGTH,
  WINDIVERT_PARAM_QUEUE_LENGTH_MAX,
  WINDIVERT_SHUTDOWN_RECV,
  WinDivertClose,
  WinDivertHelperParsePacket,
  WinDivertOpen,
  type WinDivertReceived,
  WinDivertRecvEx,
  WinDivertSendEx,
  WinDivertSetParam,
  WinDivertShutdown,
} from 'netdivert/windivert';

const handle = await WinDivertOpen(process.argv[2] ?? 'true', WINDIVERT_LAYER_NETWORK, 0, 0);
WinDivertSetParam(handle, WINDIVERT_PARAM_QUEUE_LENGTH, WINDIVERT_PARAM_QUEUE_LENGTH_MAX);
process.once('SIGINT', () => WinDivertShutdown(handle, WINDIVERT_SHUTDOWN_RECV));
console.log('batches, Ctrl-C ends');

const packets = new Uint8Array(4 * WINDIVERT_MTU_MAX);
const addrs = WINDIVERT_ADDRESS.array(WINDIVERT_BATCH_MAX);
let [batches, passed, dropped] = [0, 0, 0];

while (true) {
  let received: WinDivertReceived;
  try {
    received = await WinDivertRecvEx(handle, packets, 0, addrs);
  } catch (error) {
    if (error instanceof DivertError && error.win32 === ERROR_NO_DATA) break;
    throw error;
  }
  batches += 1;

  // The packets lie one behind the other: those to be sent move together.
  const sendAddrs: WINDIVERT_ADDRESS[] = [];
  let sendLen = 0;
  let rest: Uint8Array = packets.subarray(0, received.recvLen);
  for (const addr of addrs) {
    const parsed = WinDivertHelperParsePacket(rest);
    if (parsed === null) break;
    const length = rest.length - parsed.nextLen;
    const isPing = parsed.icmpHdr?.Type === 8 || parsed.icmpv6Hdr?.Type === 128;
    if (isPing) {
      dropped += 1;
    } else {
      packets.copyWithin(sendLen, rest.byteOffset, rest.byteOffset + length);
      sendAddrs.push(addr);
      sendLen += length;
      passed += 1;
    }
    if (parsed.next === null) break;
    rest = parsed.next;
  }
  WinDivertSendEx(handle, packets.subarray(0, sendLen), 0, sendAddrs);
}

WinDivertClose(handle);
console.log(`${batches} batches: ${passed} packets passed, ${dropped} pings dropped`);
