/**
 * The numbers of the packet hash: XXH64's, and the keys that WinDivert mixes in.
 *
 * @module
 */

export const PRIME64_1 = 0x9e3779b185ebca87n;
export const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
export const PRIME64_3 = 0x165667b19e3779f9n;
export const PRIME64_4 = 0x85ebca77c2b2ae63n;

/** What the four inputs and then the four lanes are exclusive-ored with. */
export const KEYS: readonly bigint[] = [
  0x428a2f9871374491n,
  0xb5c0fbcfe9b5dba5n,
  0x3956c25b59f111f1n,
  0x923f82a4ab1c5ed5n,
  0xd807aa9812835b01n,
  0x243185be550c7dc3n,
  0x72be5d7480deb1fen,
  0x9bdc06a7c19bf174n,
];

/** By how many bits a round rotates. */
export const ROUND_ROTATION = 31n;

/** By how many bits each lane is rotated before they are added up. */
export const LANE_ROTATIONS: readonly bigint[] = [1n, 7n, 12n, 18n];

/** XXH64 adds the length of its input, here always four words of eight bytes. */
export const HASHED_BYTES = 32n;
