/**
 * The order in which the programs of several handles run, of this and other processes: by priority, and
 * of equal ones those first that were opened first (Linux 6.17; before that by opening alone).
 *
 * Each handle keeps a map with its priority and the numbers of its links, which others find by
 * its name. It goes with the handle's process.
 *
 * @module
 */
import { SystemError, UnsupportedError } from '../../errors.ts';
import { bpfError, callBpfPatiently } from '../bpf/call.ts';
import { BPF_COMMAND } from '../bpf/constants.ts';
import { createLink, type Link } from '../bpf/link.ts';
import { BpfMap } from '../bpf/map.ts';
import type { Program } from '../bpf/program.ts';
import { failUnseen, MapWalk } from '../registry/map-walk.ts';
import { ERRNO } from '../sys/constants.ts';
import { allocate } from '../sys/memory.ts';

/** What the maps are called, before the process's number. */
const ORDER_PREFIX = 'ndv_so_';
/** Offsets in the value: i32 priority, then a u32 for each attach type. */
const ORDER = { PRIORITY: 0, LINK_IDS: 8, BYTES: 264 } as const;
/** Others may close their handles meanwhile. */
const MAX_TRIES = 8;
const KEY: Uint8Array = new Uint8Array(4);

/** Offsets in the `BPF_OBJ_GET_INFO_BY_FD` part of `union bpf_attr`, and in `struct bpf_link_info`. */
const INFO = { FD: 0, LENGTH: 4, INFO: 8, BYTES: 16 } as const;
const LINK_INFO = { ID: 4, BYTES: 64 } as const;

/** The place of one handle among all. */
export class HandleOrder {
  readonly #priority: number;
  readonly #map: BpfMap;
  readonly #value = new DataView(new ArrayBuffer(ORDER.BYTES));

  /** @param priority of the handle */
  constructor(priority: number) {
    this.#priority = priority;
    this.#map = new BpfMap({
      name: `${ORDER_PREFIX}${process.pid}`,
      type: 'ARRAY',
      keyBytes: KEY.length,
      valueBytes: ORDER.BYTES,
      maxEntries: 1,
    });
    this.#value.setInt32(ORDER.PRIORITY, priority, true);
    try {
      this.#publish();
    } catch (error) {
      this.#map.close();
      throw error;
    }
  }

  /** Hooks a program in in front of those of lower handles. */
  link(program: Program, targetFd: number, attachType: number): Link {
    const link = this.#create(program, targetFd, attachType);
    try {
      this.#value.setUint32(offsetOf(attachType), linkId(link), true);
      this.#publish();
      return link;
    } catch (error) {
      // Those of handles opened later would not come in front of it or behind it, as they should.
      this.#value.setUint32(offsetOf(attachType), 0, true);
      link.close();
      throw error;
    }
  }

  /** The handle has no program there any more. */
  forget(attachType: number): void {
    this.#value.setUint32(offsetOf(attachType), 0, true);
    this.#publish();
  }

  /** Idempotent. */
  close(): void {
    this.#map.close();
  }

  #create(program: Program, targetFd: number, attachType: number): Link {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const before = this.#nextBelow(attachType);
      if (before === 0) break;
      try {
        return createLink(program, targetFd, attachType, before);
      } catch (error) {
        if (isWithoutPlaces(error)) break;
        if (!isGone(error)) throw error;
      }
    }
    return createLink(program, targetFd, attachType);
  }

  /** The first link of lower handles: of the highest of them, 0 where there is none. */
  #nextBelow(attachType: number): number {
    let highest = Number.NEGATIVE_INFINITY;
    let link = 0;
    new MapWalk(ORDER_PREFIX).walk((_, bytes) => {
      if (bytes.length !== ORDER.BYTES) return;
      const value = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const priority = value.getInt32(ORDER.PRIORITY, true);
      const id = value.getUint32(offsetOf(attachType), true);
      // Maps come in the order they were made in, so of equal ones the first stays.
      if (id === 0 || priority >= this.#priority || priority <= highest) return;
      highest = priority;
      link = id;
    }, failUnseen);
    return link;
  }

  #publish(): void {
    this.#map.update(KEY, new Uint8Array(this.#value.buffer));
  }
}

/** Whether the other handle was closed at just this moment. */
function isGone(error: unknown): boolean {
  return error instanceof SystemError && error.errno === ERRNO.ENOENT;
}

/** Whether the kernel may know no places: before Linux 6.17 it does not take so long a request. */
function isWithoutPlaces(error: unknown): boolean {
  return (
    error instanceof UnsupportedError ||
    (error instanceof SystemError && error.errno === ERRNO.E2BIG)
  );
}

function offsetOf(attachType: number): number {
  return ORDER.LINK_IDS + attachType * 4;
}

function linkId(link: Link): number {
  const info = allocate(LINK_INFO.BYTES);
  const { view, bytes } = allocate(INFO.BYTES);
  view.setUint32(INFO.FD, link.fd, true);
  view.setUint32(INFO.LENGTH, LINK_INFO.BYTES, true);
  view.setBigUint64(INFO.INFO, info.address, true);
  const { errno } = callBpfPatiently(BPF_COMMAND.BPF_OBJ_GET_INFO_BY_FD, bytes);
  if (errno !== 0) throw bpfError('BPF_OBJ_GET_INFO_BY_FD', errno, 'ask about a link');
  return info.view.getUint32(LINK_INFO.ID, true);
}
