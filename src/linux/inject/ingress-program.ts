/**
 * A program that a device runs on each frame it receives: a clsact queueing discipline with a `bpf`
 * classifier (tc-bpf(8), Linux 4.5). Both go with the device.
 *
 * @module
 */
import { attribute, nested, string } from '../netlink/attribute.ts';
import type { RouteSocket } from './route-socket.ts';

/** linux/rtnetlink.h, linux/pkt_sched.h, linux/pkt_cls.h */
const RTM = { NEWQDISC: 36, NEWTFILTER: 44 } as const;
const TCMSG = { IFINDEX: 4, HANDLE: 8, PARENT: 12, INFO: 16, BYTES: 20 } as const;
const TC_H_CLSACT = 0xfffffff1;
const CLSACT_HANDLE = 0xffff0000;
/** TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS) */
const CLSACT_INGRESS = 0xfffffff2;
/** Priority 1 and, in network byte order, ETH_P_ALL. */
const FIRST_FOR_ALL = (1 << 16) | 0x0300;
const TCA = { KIND: 1, OPTIONS: 2 } as const;
const TCA_BPF = { FD: 6, NAME: 7, FLAGS: 8 } as const;
const TCA_BPF_FLAG_ACT_DIRECT = 1;

/**
 * Hangs a program on a device.
 *
 * @param programFd of type SCHED_CLS; its result is the action
 * @throws {@link SystemError} ENOENT when the kernel has no clsact or no bpf classifier
 */
export function attachIngress(
  socket: RouteSocket,
  interfaceIndex: number,
  programFd: number,
  name: string,
): void {
  socket.create('add a clsact queueing discipline', RTM.NEWQDISC, [
    header(interfaceIndex, CLSACT_HANDLE, TC_H_CLSACT, 0),
    string(TCA.KIND, 'clsact'),
  ]);
  socket.create('add a bpf classifier', RTM.NEWTFILTER, [
    header(interfaceIndex, 0, CLSACT_INGRESS, FIRST_FOR_ALL),
    string(TCA.KIND, 'bpf'),
    nested(
      TCA.OPTIONS,
      uint32(TCA_BPF.FD, programFd),
      string(TCA_BPF.NAME, name),
      uint32(TCA_BPF.FLAGS, TCA_BPF_FLAG_ACT_DIRECT),
    ),
  ]);
}

/** struct tcmsg */
function header(interfaceIndex: number, handle: number, parent: number, info: number): Uint8Array {
  const bytes = new Uint8Array(TCMSG.BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(TCMSG.IFINDEX, interfaceIndex, true);
  view.setUint32(TCMSG.HANDLE, handle, true);
  view.setUint32(TCMSG.PARENT, parent, true);
  view.setUint32(TCMSG.INFO, info, true);
  return bytes;
}

/** An attribute in host byte order, as rtnetlink has them. */
function uint32(type: number, value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return attribute(type, bytes);
}
