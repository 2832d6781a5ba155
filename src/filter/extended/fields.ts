/**
 * Fields of the extended dialect. Their ids follow WinDivert's, so no object string has them.
 *
 * @module
 */

import type { Layer } from '../../packet/address.ts';
import { FIELDS, type Field, LAYER_BIT } from '../fields.ts';

const U32 = 0xffff_ffffn;
const U128 = (1n << 128n) - 1n;
const { network, flow, socket } = LAYER_BIT;

const COMMON = { low: 0n, high: U32, folds: false, words: 1, header: null } as const;

/** What the extended dialect adds; the id of the first one is the number of WinDivert's own fields. */
export const EXTENDED_FIELDS: readonly Field[] = [
  { ...COMMON, name: 'processId', layers: network, format: 'decimal' },
  { ...COMMON, name: 'userId', layers: network | flow | socket, format: 'decimal' },
  {
    ...COMMON,
    name: 'processName',
    layers: network | flow | socket,
    high: U128,
    words: 4,
    format: 'name',
  },
];

/** Ids of {@link EXTENDED_FIELDS}. */
export const EXTENDED_FIELD = { processId: 86, userId: 87, processName: 88 } as const;

/** The fields of both dialects, by id. */
export const ALL_FIELDS: readonly Field[] = [...FIELDS, ...EXTENDED_FIELDS];

/** Whether only the extended dialect has a field. */
export function isExtendedField(field: number): boolean {
  return field >= FIELDS.length;
}

/**
 * The extended field of a name on a layer.
 *
 * @returns its id, `null` where the layer has none of that name
 */
export function findExtendedField(name: string, layer: Layer): number | null {
  const found = EXTENDED_FIELDS.findIndex(
    (field) => field.name === name && (field.layers & LAYER_BIT[layer]) !== 0,
  );
  return found < 0 ? null : FIELDS.length + found;
}

/** Whether the dialect has a field of this name on any layer, so that its absence can be told from a typing error. */
export function isExtendedName(name: string): boolean {
  return EXTENDED_FIELDS.some((field) => field.name === name);
}
