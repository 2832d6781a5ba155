/**
 * Packets on their way in that are too large for a program run: written to a TAP device, whose
 * program gives them their mark and hands them on to the device they are for.
 *
 * The device goes with its descriptor.
 *
 * @module
 */
import { close as closeFile, openSync, writeFileSync, writeSync } from 'node:fs';
import { Assembler } from '../../bpf/assembler.ts';
import { R0, R1, R2, R3, R4, R6, R10 } from '../../bpf/instruction.ts';
import { SystemError, UnsupportedError } from '../../errors.ts';
import { BPF_PROG_TYPE } from '../bpf/constants.ts';
import { loadProgram } from '../bpf/program.ts';
import { IFREQ, IOCTL } from '../sys/constants.ts';
import { fileCall, fileError } from '../sys/file-error.ts';
import { errnoText, lastErrno, libc } from '../sys/libc.ts';
import { allocate } from '../sys/memory.ts';
import { DEVICE_PREFIX, type Devices } from './devices.ts';
import type { Frame } from './frame.ts';
import { attachIngress } from './ingress-program.ts';

const TUN_PATH = '/dev/net/tun';
const IFF_TAP = 0x0002;
const IFF_NO_PI = 0x1000;
/** The largest that the driver takes: 65535 less the Ethernet header. */
const MTU_BYTES = 65_521;

const SKB_MARK = 8;
const BPF_F_INGRESS = 1;
const TC_ACT_SHOT = 2;
/** Where a frame says which device it is for (`Frame.fill`). */
const FRAME_INTERFACE = 6;
const STACK_INTERFACE = -4;
/** What opening the file of a driver that is not there fails with. */
const MISSING: ReadonlySet<string> = new Set(['ENOENT', 'ENODEV', 'ENXIO']);

export class Tap {
  readonly #fd: number;

  /**
   * Makes the device in the namespace the thread is in.
   *
   * @throws {@link UnsupportedError} without /dev/net/tun or the parts of the kernel it takes
   */
  constructor(programName: string, mark: number, devices: Devices) {
    this.#fd = openTun();
    try {
      const name = makeDevice(this.#fd);
      keepQuiet(name);
      attach(programName, mark, devices, devices.bringUp(name, MTU_BYTES));
    } catch (error) {
      void this.close();
      throw error;
    }
  }

  send(frame: Frame): void {
    fileCall('put a packet into a TAP device', () =>
      writeSync(this.#fd, frame.memory.bytes, 0, frame.length),
    );
  }

  /** Resolves when the device is gone, which takes the kernel some milliseconds. */
  close(): Promise<void> {
    return new Promise((resolve) => closeFile(this.#fd, () => resolve()));
  }
}

function openTun(): number {
  try {
    return openSync(TUN_PATH, 'r+');
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const isForbidden = code === 'EACCES';
    if (!isForbidden && !MISSING.has(code ?? '')) throw fileError(cause, `open ${TUN_PATH}`);
    throw new UnsupportedError(
      TUN_PATH,
      `An incoming packet of more than 3,698 bytes needs a TAP device, and ${TUN_PATH} ${isForbidden ? 'may not be opened' : 'is not there'}.`,
      {
        cause,
        ...(isForbidden && { code: 'access-denied' }),
        hint: isForbidden
          ? `Give the user access to it: chmod 666 ${TUN_PATH} (a device still takes CAP_NET_ADMIN).`
          : `Load the module tun, or give the container the device ${TUN_PATH}.`,
      },
    );
  }
}

function makeDevice(fd: number): string {
  const request = allocate(IFREQ.BYTES);
  request.bytes.set(new TextEncoder().encode(`${DEVICE_PREFIX}%d`), IFREQ.NAME);
  request.view.setUint16(IFREQ.VALUE, IFF_TAP | IFF_NO_PI, true);
  if (libc.ioctl(fd, IOCTL.TUNSETIFF, request.bytes) < 0) {
    const errno = lastErrno();
    throw new SystemError('ioctl', errno, `Cannot make a TAP device: ${errnoText(errno)}`);
  }
  const name = request.bytes.subarray(IFREQ.NAME, IFREQ.VALUE);
  return new TextDecoder().decode(name.subarray(0, name.indexOf(0)));
}

/** Without IPv6 the device sends nothing by itself that a handle would see. */
function keepQuiet(name: string): void {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${name}/disable_ipv6`, '1');
  } catch {
    // No IPv6, or /proc/sys is read only: then a few router solicitations leave by the device.
  }
}

function attach(name: string, mark: number, devices: Devices, interfaceIndex: number): void {
  const program = loadProgram(redirectProgram(mark), { name, type: BPF_PROG_TYPE.SCHED_CLS });
  try {
    attachIngress(devices.route, interfaceIndex, program.fd, name);
  } catch (cause) {
    throw new UnsupportedError(
      'NET_SCH_INGRESS and NET_CLS_BPF',
      'This kernel cannot run a program on what a device receives.',
      {
        cause,
        hint: 'Incoming packets of more than 3,698 bytes need it: try `modprobe -a sch_ingress cls_bpf`.',
      },
    );
  } finally {
    program.close();
  }
}

function redirectProgram(mark: number) {
  const assembler = new Assembler();
  const failed = assembler.newLabel('failed');
  assembler.move(R6, R1);
  assembler.moveImmediate(R2, FRAME_INTERFACE);
  assembler.move(R3, R10);
  assembler.alu('ADD', R3, STACK_INTERFACE, 64);
  assembler.moveImmediate(R4, 4);
  assembler.call('skb_load_bytes');
  assembler.jumpIf('JNE', R0, 0, failed);
  assembler.moveImmediate(R1, mark);
  assembler.store('W', R6, SKB_MARK, R1);
  assembler.load('W', R1, R10, STACK_INTERFACE);
  assembler.moveImmediate(R2, BPF_F_INGRESS);
  assembler.call('redirect');
  assembler.exit();
  assembler.label(failed);
  assembler.moveImmediate(R0, TC_ACT_SHOT);
  assembler.exit();
  return assembler.assemble().instructions;
}
