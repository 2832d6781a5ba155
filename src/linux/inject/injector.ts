/**
 * Puts new packets in, for one handle. What that takes is made when it is first needed.
 *
 * @module
 */

import { readFileSync } from 'node:fs';
import { DivertError } from '../../errors.ts';
import type { Layer } from '../../packet/address.ts';
import { readUint32 } from '../../packet/bytes.ts';
import { ERRNO, LOOPBACK_IFINDEX } from '../sys/constants.ts';
import { withNamespace } from '../sys/namespace.ts';
import { Devices } from './devices.ts';
import { Frame } from './frame.ts';
import { Ingress, LONGEST_FRAME_BYTES } from './ingress.ts';
import { injectedMark } from './mark.ts';
import { NamespaceVisit } from './namespace-visit.ts';
import { RawSocket } from './raw-socket.ts';
import { refusal } from './refusal.ts';
import { splitPacket } from './split.ts';
import { Tap } from './tap.ts';

const ADDRESSES = {
  4: { SOURCE: 12, DESTINATION: 16, BYTES: 4 },
  6: { SOURCE: 8, DESTINATION: 24, BYTES: 16 },
} as const;
/** 127.0.0.0/8 */
const LOOPBACK_NET = 127;

export interface InjectorOptions {
  readonly namespace: string | undefined;
  readonly priority: number;
  readonly layer: Layer;
  /** Of the programs, for listings. */
  readonly programName: string;
}

/** Where a packet goes. */
export interface Destination {
  readonly outbound: boolean;
  readonly loopback: boolean;
  /** 0: found by the packet's source. */
  readonly interfaceIndex: number;
}

export class Injector {
  readonly #options: InjectorOptions;
  readonly #mark: number;
  #raw4: RawSocket | undefined;
  #raw6: RawSocket | undefined;
  #incoming: Incoming | undefined;
  #devices: Devices | undefined;
  /** From anywhere, so that it does not meet those of other senders. */
  #lastFragmentId = Math.floor(Math.random() * 2 ** 32);

  constructor(options: InjectorOptions) {
    this.#options = options;
    this.#mark = injectedMark(options.priority);
  }

  /**
   * @param bytes a whole packet with valid checksums
   * @throws {@link SystemError} saying why the kernel does not take it
   * @throws {@link DivertError} `invalid-parameter` when there is no telling where it would come in
   * @throws {@link UnsupportedError} when a capability or a part of the kernel is missing
   */
  inject(bytes: Uint8Array, to: Destination): void {
    const { layer } = this.#options;
    if (layer === 'forward') {
      this.#enter(bytes, this.#interfaceOf(bytes, to.interfaceIndex), true);
    } else if (to.outbound || to.loopback || to.interfaceIndex === LOOPBACK_IFINDEX) {
      this.#leave(bytes, to.interfaceIndex);
    } else {
      const interfaceIndex = this.#interfaceOf(bytes, to.interfaceIndex);
      // What comes from this host goes out by lo, and comes in there.
      if (interfaceIndex === LOOPBACK_IFINDEX) this.#leave(bytes, interfaceIndex);
      else this.#enter(bytes, interfaceIndex, false);
    }
  }

  /** MTU of a device; null when there is none. */
  mtuOf(interfaceIndex: number): number | null {
    return this.#needDevices().mtuOf(interfaceIndex);
  }

  /** Idempotent. */
  async close(): Promise<void> {
    this.#raw4?.close();
    this.#raw6?.close();
    const incoming = this.#incoming;
    this.#devices?.close();
    this.#raw4 = this.#raw6 = this.#incoming = this.#devices = undefined;
    await incoming?.close();
  }

  #leave(bytes: Uint8Array, interfaceIndex: number): void {
    const socket = this.#needSocket(versionOf(bytes));
    const errno = socket.send(bytes, interfaceIndex);
    if (errno === 0) return;
    const pieces = errno === ERRNO.EMSGSIZE ? this.#split(bytes) : null;
    if (!pieces) throw refusal('sendto', errno, bytes.length);
    for (const piece of pieces) {
      const refused = socket.send(piece, interfaceIndex);
      if (refused !== 0) throw refusal('sendto', refused, piece.length);
    }
  }

  #needSocket(version: 4 | 6): RawSocket {
    const { namespace } = this.#options;
    if (version === 4) {
      this.#raw4 ??= new RawSocket(4, this.#mark, namespace);
      return this.#raw4;
    }
    this.#raw6 ??= new RawSocket(6, this.#mark, namespace);
    return this.#raw6;
  }

  #split(bytes: Uint8Array): Uint8Array[] | null {
    const { DESTINATION, BYTES } = ADDRESSES[versionOf(bytes)];
    const destination = bytes.subarray(DESTINATION, DESTINATION + BYTES);
    const mtuBytes = this.#needDevices().mtuTo(destination);
    if (mtuBytes === null) return null;
    this.#lastFragmentId = (this.#lastFragmentId + 1) >>> 0;
    const pieces = splitPacket(bytes, mtuBytes, this.#lastFragmentId);
    return pieces && pieces.length > 1 ? pieces : null;
  }

  #needDevices(): Devices {
    this.#devices ??= new Devices(this.#options.namespace);
    return this.#devices;
  }

  #enter(bytes: Uint8Array, interfaceIndex: number, isForwarded: boolean): void {
    checkLoopback(bytes);
    if (this.#isMartian(bytes, interfaceIndex)) {
      throw new DivertError(
        'invalid-parameter',
        'A packet from an address of this host cannot come in on this device: the kernel drops it.',
        {
          hint: 'Leave address.interfaceIndex out: it comes in on lo. Or switch on accept_local of the device.',
        },
      );
    }
    this.#needIncoming().send(bytes, interfaceIndex, isForwarded);
  }

  #isMartian(bytes: Uint8Array, interfaceIndex: number): boolean {
    if (versionOf(bytes) === 6) return false;
    const devices = this.#needDevices();
    if (!devices.hasIPv4(readUint32(bytes, ADDRESSES[4].SOURCE))) return false;
    return !withNamespace(this.#options.namespace, () =>
      ['all', devices.nameOf(interfaceIndex) ?? ''].some(acceptsLocal),
    );
  }

  #needIncoming(): Incoming {
    this.#incoming ??= new Incoming(this.#options, this.#mark, this.#needDevices());
    return this.#incoming;
  }

  #interfaceOf(bytes: Uint8Array, given: number): number {
    if (given !== 0) return given;
    const { SOURCE, BYTES } = ADDRESSES[versionOf(bytes)];
    const source = bytes.subarray(SOURCE, SOURCE + BYTES);
    const found = this.#needDevices().forSource(source);
    if (found !== null) return found;
    throw new DivertError(
      'invalid-parameter',
      'There is no telling which interface this packet comes in on: no route leads to its source.',
      { hint: 'Set address.interfaceIndex (`ip link` lists them).' },
    );
  }
}

/** What packets on their way in need. */
class Incoming {
  readonly #devices: Devices;
  readonly #frame = new Frame();
  readonly #visit: NamespaceVisit;
  readonly #ingress: Ingress;
  readonly #options: InjectorOptions;
  readonly #mark: number;
  #tap: Tap | undefined;

  constructor(options: InjectorOptions, mark: number, devices: Devices) {
    this.#devices = devices;
    this.#options = options;
    this.#mark = mark;
    this.#ingress = new Ingress(options.programName, mark, this.#frame);
    try {
      this.#visit = new NamespaceVisit(options.namespace);
    } catch (error) {
      this.#ingress.close();
      throw error;
    }
  }

  send(bytes: Uint8Array, interfaceIndex: number, isForwarded: boolean): void {
    const device = this.#devices.hardwareAddress(interfaceIndex);
    if (!device) throw refusal('ioctl', ERRNO.ENXIO, bytes.length);
    const frame = this.#frame;
    frame.fill(bytes, device, interfaceIndex);
    if (isForwarded) frame.addHop();
    if (frame.length > LONGEST_FRAME_BYTES) {
      this.#tap ??= this.#visit.during(
        () => new Tap(this.#options.programName, this.#mark, this.#devices),
      );
      this.#tap.send(frame);
    } else {
      this.#visit.during(() => this.#ingress.send(frame, interfaceIndex));
    }
  }

  async close(): Promise<void> {
    this.#ingress.close();
    this.#visit.close();
    await this.#tap?.close();
  }
}

function versionOf(bytes: Uint8Array): 4 | 6 {
  return (bytes[0] ?? 0) >> 4 === 6 ? 6 : 4;
}

/** The setting by which the kernel lets packets in on a device that come from its own addresses. */
function acceptsLocal(device: string): boolean {
  try {
    return readFileSync(`/proc/sys/net/ipv4/conf/${device}/accept_local`, 'utf8').trim() === '1';
  } catch {
    // Not there or not to be read: then it is what it is by default.
    return false;
  }
}

/** Refuses what the kernel would drop without a word: loopback addresses on a device. */
function checkLoopback(bytes: Uint8Array): void {
  const version = versionOf(bytes);
  const { SOURCE, DESTINATION } = ADDRESSES[version];
  for (const at of [SOURCE, DESTINATION]) {
    if (!isLoopbackAddress(bytes, at, version)) continue;
    throw new DivertError(
      'invalid-parameter',
      'A packet with a loopback address cannot come in on a device: the kernel drops it.',
      { hint: 'Send it with address.outbound: it leaves by lo and comes in there.' },
    );
  }
}

function isLoopbackAddress(bytes: Uint8Array, at: number, version: 4 | 6): boolean {
  if (version === 4) return bytes[at] === LOOPBACK_NET;
  if (bytes[at + 15] !== 1) return false;
  for (let index = 0; index < 15; index++) if (bytes[at + index] !== 0) return false;
  return true;
}
