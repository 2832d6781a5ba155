/** Records of the event layers, from addresses as the vectors have them. */

import { fillAddress, fillProcess } from '../../src/filter/address-fields.ts';
import type { EventLayer } from '../../src/filter/emit-event-bpf.ts';
import { MatchInput } from '../../src/filter/match-input.ts';
import { type AddressInit, LAYERS } from '../../src/packet/address.ts';
import { EVENT_RECORD, REFLECT_EVENT, SOCKET_EVENT } from '../../src/packet/event-layout.ts';

/** What filters are evaluated on, from an address. */
export function inputOf(address: AddressInit, layer: EventLayer): MatchInput {
  const input = new MatchInput();
  fillAddress(input, address, layer);
  fillProcess(input, address);
  return input;
}

/** The record that a program in the kernel would have made. */
export function recordOf(input: MatchInput, layer: EventLayer): Uint8Array {
  const bytes = new Uint8Array(SOCKET_EVENT.BYTES);
  const view = new DataView(bytes.buffer);
  const word = (offset: number, value: number): void => view.setUint32(offset, value >>> 0, true);
  word(EVENT_RECORD.TIMESTAMP, input.timestampLow);
  word(EVENT_RECORD.TIMESTAMP + 4, input.timestampHigh);
  view.setUint8(EVENT_RECORD.LAYER, LAYERS.indexOf(layer));
  view.setUint8(EVENT_RECORD.EVENT, input.event);
  view.setUint8(EVENT_RECORD.FLAGS, input.flags);
  if (layer === 'reflect') {
    word(REFLECT_EVENT.PROCESS_ID, input.processId);
    word(REFLECT_EVENT.HANDLE_LAYER, input.handleLayer);
    view.setInt16(REFLECT_EVENT.PRIORITY, input.priority, true);
    return bytes;
  }
  word(SOCKET_EVENT.ENDPOINT_ID, input.endpointIdLow);
  word(SOCKET_EVENT.ENDPOINT_ID + 4, input.endpointIdHigh);
  word(SOCKET_EVENT.PARENT_ENDPOINT_ID, input.parentEndpointIdLow);
  word(SOCKET_EVENT.PARENT_ENDPOINT_ID + 4, input.parentEndpointIdHigh);
  word(SOCKET_EVENT.PROCESS_ID, input.processId);
  const { local0, local1, local2, local3, remote0, remote1, remote2, remote3 } = input;
  [local0, local1, local2, local3].forEach((value, at) => {
    word(SOCKET_EVENT.LOCAL_ADDRESS + 4 * at, value);
  });
  [remote0, remote1, remote2, remote3].forEach((value, at) => {
    word(SOCKET_EVENT.REMOTE_ADDRESS + 4 * at, value);
  });
  view.setUint16(SOCKET_EVENT.LOCAL_PORT, input.localPort, true);
  view.setUint16(SOCKET_EVENT.REMOTE_PORT, input.remotePort, true);
  view.setUint8(SOCKET_EVENT.PROTOCOL, input.protocol);
  word(SOCKET_EVENT.USER_ID, input.userId);
  const { processName0, processName1, processName2, processName3 } = input;
  [processName0, processName1, processName2, processName3].forEach((value, at) => {
    word(SOCKET_EVENT.PROCESS_NAME + 4 * at, value);
  });
  return bytes;
}
