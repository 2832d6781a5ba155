/**
 * What this process has in the kernel and in its descriptor table, to compare before and after.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { callBpf } from '../../src/linux/bpf/call.ts';
import { libc } from '../../src/linux/sys/libc.ts';
import { allocate } from '../../src/linux/sys/memory.ts';
import type { NetworkEnd } from './namespaces.ts';

const BPF_PROG_GET_NEXT_ID = 11;
const BPF_MAP_GET_NEXT_ID = 12;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_MAP_GET_FD_BY_ID = 14;
const BPF_OBJ_GET_INFO_BY_FD = 15;
const PROG_INFO_NAME = 64;
const MAP_INFO_NAME = 24;

function names(nextCommand: number, openCommand: number, nameOffset: number): string[] {
  const found: string[] = [];
  const ids = allocate(16);
  for (let id = 0; ; ) {
    ids.view.setUint32(0, id, true);
    if (callBpf(nextCommand, ids.bytes).errno !== 0) return found;
    id = ids.view.getUint32(4, true);
    const open = allocate(16);
    open.view.setUint32(0, id, true);
    const { result: fd, errno } = callBpf(openCommand, open.bytes);
    if (errno !== 0) continue;
    const info = allocate(232);
    const attribute = allocate(16);
    attribute.view.setUint32(0, fd, true);
    attribute.view.setUint32(4, info.bytes.length, true);
    attribute.view.setBigUint64(8, info.address, true);
    callBpf(BPF_OBJ_GET_INFO_BY_FD, attribute.bytes);
    libc.close(fd);
    const name = Buffer.from(info.bytes.subarray(nameOffset, nameOffset + 16)).toString('latin1');
    found.push(name.replace(/\0.*$/s, ''));
  }
}

/** Names of the programs of a process of ours. */
export function programsOf(pid: number): string[] {
  return names(BPF_PROG_GET_NEXT_ID, BPF_PROG_GET_FD_BY_ID, PROG_INFO_NAME).filter(
    (name) => name === `ndivert_${pid}`,
  );
}

/** Names of all maps of this machine. */
export function namesOfMaps(): string[] {
  return names(BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID, MAP_INFO_NAME);
}

/** Names of the maps of a process of ours. */
export function mapsOf(pid: number): string[] {
  return namesOfMaps().filter((name) => name === `ndivert_${pid}`);
}

/** Open file descriptors of this process. */
export function countDescriptors(): number {
  return readdirSync('/proc/self/fd').length;
}

/** nf_tables tables of a namespace. */
export async function listTables(end: NetworkEnd): Promise<string[]> {
  const { stdout } = await end.exec('nft', ['list', 'tables']);
  return stdout.split('\n').filter(Boolean);
}
