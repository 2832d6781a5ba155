import type { Filter } from '../filter/index.ts';
import type { AddressInit } from '../packet/address.ts';
import { readUint8 } from '../packet/bytes.ts';

/** The address of a packet that did not come from a kernel. */
export function offlineAddress(filter: Filter, bytes: Uint8Array, known: AddressInit): AddressInit {
  const ipv6 = bytes.length > 0 && readUint8(bytes, 0) >> 4 === 6;
  return { layer: filter.layer, event: 'packet', ipv6, ...known };
}
