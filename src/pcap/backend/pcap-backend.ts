/**
 * Handles over capture files: the same programs, without a network and without privileges.
 *
 * @module
 */

import type { Backend, NetworkChannel } from '../../divert/backend.ts';
import type { ResolvedOptions } from '../../divert/options.ts';
import { DivertError } from '../../errors.ts';
import type { Filter } from '../../filter/index.ts';
import type { CaptureInput } from '../read/byte-source.ts';
import { CaptureReader } from '../read/capture-reader.ts';
import type { CaptureDirection } from '../record.ts';
import type { CaptureSink } from '../write/capture-sink.ts';
import { writeCapture } from '../write/write-capture.ts';
import { CaptureLine } from './capture-line.ts';
import { CaptureOutput } from './capture-output.ts';
import { LocalAddresses } from './local-addresses.ts';
import { PcapChannel } from './pcap-channel.ts';

export interface PcapBackendOptions {
  /** The capture whose packets the handles meet: pcap or pcapng. */
  readonly read: CaptureInput;
  /** Where packets that got through are written, as pcapng. Default: nowhere. */
  readonly write?: CaptureSink;
  /**
   * Addresses (`192.0.2.7`) and networks (`fd00::/8`) of the host, for captures that do not say which way
   * packets went: what comes from one is outbound, all else inbound, from one to another loopback.
   */
  readonly localAddresses?: readonly string[];
  /** Of packets of which neither the file nor `localAddresses` says. Default `outbound`. */
  readonly direction?: CaptureDirection;
  /** Dropped packets are written too, with the verdict `drop`. Default false. */
  readonly keepDropped?: boolean;
}

/** A backend of `open` whose packets come out of a file. */
export interface PcapBackend extends Backend {
  /**
   * Resolves when the whole file was read, or the last handle closed; rejects with what ended reading
   * before. Handles that receive see the same; it is for those that do not (mode 'drop').
   */
  readonly finished: Promise<void>;
}

/**
 * Runs handles over a capture file instead of this machine's kernel.
 *
 * A packet that matches comes to the handle; one that does not is written as it is. What the
 * program sends or injects is written with its direction, what it drops is not. At the end of the file
 * `receive` gives null. Nothing is lost because the program is slow: packets are read when it asks, and
 * no time runs out. `close` completes the file that is written. Several handles on one backend meet
 * packets by priority; when the last one closed, nothing more is read.
 *
 * @throws {@link DivertError} `invalid-parameter` for a local address that is none
 * @example
 * ```ts
 * const backend = pcapBackend({ read: createReadStream('in.pcap'), write: createWriteStream('out.pcapng') });
 * await using handle = await open('tcp.DstPort == 80', { backend });
 * for await (const packet of handle) {
 *   if (packet.payload.length > 0) handle.send(packet);
 * }
 * ```
 */
export function pcapBackend(options: PcapBackendOptions): PcapBackend {
  return new FileBackend(options);
}

class FileBackend implements PcapBackend {
  readonly name = 'pcap';
  readonly finished: Promise<void>;
  readonly #line: CaptureLine;

  constructor(options: PcapBackendOptions) {
    const { localAddresses = [], direction = 'outbound', keepDropped = false } = options;
    const directions = { local: new LocalAddresses(localAddresses), fallback: direction };
    const reader = new CaptureReader(options.read);
    let settle: (error?: unknown, isFailed?: boolean) => void = () => {};
    this.finished = new Promise((resolve, reject) => {
      settle = (error, isFailed) => (isFailed ? reject(error) : resolve());
    });
    // Whoever does not ask is told by its handle.
    this.finished.catch(() => {});
    const line = new CaptureLine({
      reader,
      directions,
      keepsDropped: keepDropped,
      onEnd: ({ failure }) => settle(failure?.error, failure !== null),
    });
    if (options.write) {
      const onRoom = (): void => line.wake();
      const onFailed = (error: unknown): void => line.fail(error);
      line.writeTo(new CaptureOutput(writeCapture(options.write), onRoom, onFailed));
    }
    this.#line = line;
  }

  /** @internal */
  openNetwork(filter: Filter, options: ResolvedOptions): NetworkChannel {
    if (this.#line.isClosed) {
      throw new DivertError('closed', 'The handles over this capture are closed.', {
        hint: 'It is read once: make a new pcapBackend for each run.',
      });
    }
    const channel = new PcapChannel(this.#line, filter, options);
    this.#line.add(channel);
    return channel;
  }
}
