/** What handles have in the kernel. */

import { callBpf } from '../../dist/linux/bpf/call.js';
import { libc } from '../../dist/linux/sys/libc.js';
import { allocate } from '../../dist/linux/sys/memory.js';

const BPF_PROG_GET_NEXT_ID = 11;
const BPF_PROG_GET_FD_BY_ID = 13;
const BPF_OBJ_GET_INFO_BY_FD = 15;
const INFO_BYTES = 232;
const INFO_NAME = 64;
const NAME_BYTES = 16;

/** Names of all programs in the kernel that are a process's: `ndivert_PID`. */
export function programsOf(pid) {
  return programNames().filter((name) => name === `ndivert_${pid}`);
}

/** Tables, queues and programs that are left of a process in the given namespaces. */
export async function leftOf(pid, ends) {
  const left = programsOf(pid);
  for (const end of ends) {
    const tables = await end.run('nft', 'list', 'tables');
    const queues = await end.run('cat', '/proc/net/netfilter/nfnetlink_queue').catch(() => '');
    left.push(...`${tables}${queues}`.split('\n').filter(Boolean));
  }
  return left;
}

function programNames() {
  const names = [];
  const ids = allocate(16);
  for (let id = 0; ; ) {
    ids.view.setUint32(0, id, true);
    if (callBpf(BPF_PROG_GET_NEXT_ID, ids.bytes).errno !== 0) return names;
    id = ids.view.getUint32(4, true);
    const name = programName(id);
    if (name !== null) names.push(name);
  }
}

/** null when the program is gone again. */
function programName(id) {
  const attribute = allocate(16);
  attribute.view.setUint32(0, id, true);
  const { result: fd, errno } = callBpf(BPF_PROG_GET_FD_BY_ID, attribute.bytes);
  if (errno !== 0) return null;
  const info = allocate(INFO_BYTES);
  attribute.view.setUint32(0, fd, true);
  attribute.view.setUint32(4, info.bytes.length, true);
  attribute.view.setBigUint64(8, info.address, true);
  callBpf(BPF_OBJ_GET_INFO_BY_FD, attribute.bytes);
  libc.close(fd);
  const name = Buffer.from(info.bytes.subarray(INFO_NAME, INFO_NAME + NAME_BYTES));
  return name.toString('latin1').replace(/\0.*$/s, '');
}
