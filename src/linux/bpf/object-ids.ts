/**
 * Maps and programs of the whole machine, by the numbers the kernel gives them (Linux 4.13). All of
 * this needs CAP_SYS_ADMIN.
 *
 * @module
 */
import { ERRNO } from '../sys/constants.ts';
import { libc } from '../sys/libc.ts';
import { allocate, type Memory } from '../sys/memory.ts';
import { type BpfResult, bpfError, callBpfPatiently } from './call.ts';
import { BPF_COMMAND, MAX_NAME_BYTES } from './constants.ts';

/** Offsets in the part of `union bpf_attr` that `BPF_*_GET_*_ID` and `BPF_*_GET_FD_BY_ID` use. */
const IDS = { START_ID: 0, NEXT_ID: 4, OPEN_FLAGS: 8, BYTES: 12 } as const;
/** Offsets in the part that `BPF_OBJ_GET_INFO_BY_FD` uses. */
const INFO = { FD: 0, LENGTH: 4, INFO: 8, BYTES: 16 } as const;
/** Offsets in `struct bpf_map_info`. */
const MAP_INFO = { TYPE: 0, ID: 4, VALUE_SIZE: 12, MAX_ENTRIES: 16, NAME: 24, BYTES: 40 } as const;
/** Offsets in `struct bpf_prog_info`. */
const PROGRAM_INFO = { TYPE: 0, ID: 4, CREATED_BY_UID: 48, BYTES: 56 } as const;
/** Offsets in the part that `BPF_MAP_LOOKUP_ELEM` uses. */
const ELEMENT = { MAP_FD: 0, KEY: 8, VALUE: 16, BYTES: 32 } as const;

/** Flag of opening a map. */
const BPF_F_RDONLY = 1 << 3;

const ids: Memory = allocate(IDS.BYTES);
const info: Memory = allocate(INFO.BYTES);
const mapInfo: Memory = allocate(MAP_INFO.BYTES);
const programInfo: Memory = allocate(PROGRAM_INFO.BYTES);
const element: Memory = allocate(ELEMENT.BYTES);
const firstKey: Memory = allocate(4);

/** What is asked about a map. */
export interface MapInfo {
  readonly id: number;
  /** `BPF_MAP_TYPE`. */
  readonly type: number;
  readonly name: string;
  readonly valueBytes: number;
  readonly maxEntries: number;
}

/** What is asked about a program. */
export interface ProgramInfo {
  readonly id: number;
  /** `BPF_PROG_TYPE`. */
  readonly type: number;
  /** User that loaded it, as this process's user namespace numbers it. */
  readonly createdByUid: number;
}

/**
 * The map with the lowest number above `id`.
 *
 * @returns its number, 0 when there is none, null when asking is not allowed
 */
export function nextMapId(id: number): number | null {
  const { view, bytes } = ids;
  view.setUint32(IDS.START_ID, id, true);
  view.setUint32(IDS.OPEN_FLAGS, 0, true);
  const { errno } = callBpfPatiently(BPF_COMMAND.BPF_MAP_GET_NEXT_ID, bytes.subarray(0, IDS.BYTES));
  if (errno === 0) return view.getUint32(IDS.NEXT_ID, true);
  return errno === ERRNO.ENOENT ? 0 : null;
}

/**
 * Opens a map for reading.
 *
 * @returns a descriptor to be closed by the caller, null when there is no such map or it is not allowed
 * @throws {@link SystemError} when there are too many open files, or there is no memory
 */
export function openMapById(id: number): number | null {
  return openedOrNull('BPF_MAP_GET_FD_BY_ID', openById(id, 'BPF_MAP_GET_FD_BY_ID', BPF_F_RDONLY));
}

/** As {@link openMapById}, for programs. */
export function openProgramById(id: number): number | null {
  return openedOrNull('BPF_PROG_GET_FD_BY_ID', openById(id, 'BPF_PROG_GET_FD_BY_ID', 0));
}

type OpenCommand = 'BPF_MAP_GET_FD_BY_ID' | 'BPF_PROG_GET_FD_BY_ID';

function openedOrNull(command: OpenCommand, { result, errno }: BpfResult): number | null {
  if (errno === 0) return result;
  const { ENOENT, EPERM, EACCES } = ERRNO;
  if (errno === ENOENT || errno === EPERM || errno === EACCES) return null;
  throw bpfError(command, errno, 'look at a map or program');
}

function openById(id: number, command: OpenCommand, flags: number): BpfResult {
  const { view, bytes } = ids;
  view.setUint32(IDS.START_ID, id, true);
  view.setUint32(IDS.NEXT_ID, 0, true);
  view.setUint32(IDS.OPEN_FLAGS, flags, true);
  return callBpfPatiently(BPF_COMMAND[command], bytes.subarray(0, IDS.BYTES));
}

/** What the kernel says about an open map. */
export function readMapInfo(fd: number): MapInfo {
  fillInfo(fd, mapInfo, MAP_INFO.BYTES);
  const { view, bytes } = mapInfo;
  return {
    id: view.getUint32(MAP_INFO.ID, true),
    type: view.getUint32(MAP_INFO.TYPE, true),
    name: nameAt(bytes, MAP_INFO.NAME),
    valueBytes: view.getUint32(MAP_INFO.VALUE_SIZE, true),
    maxEntries: view.getUint32(MAP_INFO.MAX_ENTRIES, true),
  };
}

/** What the kernel says about an open program. */
export function readProgramInfo(fd: number): ProgramInfo {
  fillInfo(fd, programInfo, PROGRAM_INFO.BYTES);
  const { view } = programInfo;
  return {
    id: view.getUint32(PROGRAM_INFO.ID, true),
    type: view.getUint32(PROGRAM_INFO.TYPE, true),
    createdByUid: view.getUint32(PROGRAM_INFO.CREATED_BY_UID, true),
  };
}

/**
 * The value of key 0 of an open array.
 *
 * @param valueBytes of the array
 * @returns yours; null when the map is none that can be read
 * @throws {@link SystemError} when there is no memory
 */
export function readFirstValue(fd: number, valueBytes: number): Uint8Array | null {
  const value = allocate(valueBytes);
  const { view, bytes } = element;
  view.setUint32(ELEMENT.MAP_FD, fd, true);
  view.setBigUint64(ELEMENT.KEY, firstKey.address, true);
  view.setBigUint64(ELEMENT.VALUE, value.address, true);
  const { errno } = callBpfPatiently(BPF_COMMAND.BPF_MAP_LOOKUP_ELEM, bytes);
  if (errno === 0) return value.bytes.subarray(0, valueBytes);
  // Others' maps can be closed to system calls; this package's are not.
  if (errno === ERRNO.EPERM) return null;
  throw bpfError('BPF_MAP_LOOKUP_ELEM', errno, 'read a map');
}

/** Whether there is a map with this number: true as well when that cannot be found out. */
export function hasMap(id: number): boolean {
  const { result, errno } = openById(id, 'BPF_MAP_GET_FD_BY_ID', BPF_F_RDONLY);
  if (errno === 0) libc.close(result);
  return errno !== ERRNO.ENOENT;
}

function fillInfo(fd: number, target: Memory, length: number): void {
  // Some fields are read by the kernel: where to put lists that nobody asks for here.
  target.bytes.fill(0);
  info.view.setUint32(INFO.FD, fd, true);
  info.view.setUint32(INFO.LENGTH, length, true);
  info.view.setBigUint64(INFO.INFO, target.address, true);
  const { errno } = callBpfPatiently(BPF_COMMAND.BPF_OBJ_GET_INFO_BY_FD, info.bytes);
  if (errno !== 0) throw bpfError('BPF_OBJ_GET_INFO_BY_FD', errno, 'ask about a map or program');
}

function nameAt(bytes: Uint8Array, offset: number): string {
  let name = '';
  for (let at = offset; at <= offset + MAX_NAME_BYTES; at++) {
    const letter = bytes[at] ?? 0;
    if (letter === 0) break;
    name += String.fromCharCode(letter);
  }
  return name;
}
