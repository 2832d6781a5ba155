/**
 * All campaigns but the one that compares engines.
 *
 * @module
 */

import type { Campaign } from './campaign.ts';
import { ARGUMENTS } from './campaigns/arguments.ts';
import { CAPTURES } from './campaigns/captures.ts';
import { FILTER_TEXT, OBJECT_STRING } from './campaigns/filters.ts';
import { NETLINK, PROC, QUEUE, RECORDS } from './campaigns/kernel-side.ts';
import { PACKETS, PEEKS } from './campaigns/packets.ts';

/** In the order they are run. */
export const CAMPAIGNS: readonly Campaign[] = [
  FILTER_TEXT,
  OBJECT_STRING,
  PACKETS,
  PEEKS,
  CAPTURES,
  NETLINK,
  QUEUE,
  RECORDS,
  PROC,
  ARGUMENTS,
];
