/**
 * Writing capture files: pcapng with one section, nanoseconds, and the interface, direction, process,
 * fate and comments of each packet in standard options (draft-ietf-opsawg-pcapng).
 *
 * @module
 */

import { DivertError } from '../../errors.ts';
import { OPTION, PACKET_DIRECTION, TC_ACTION, VERDICT_BYTES, VERDICT_KIND } from '../block.ts';
import { dropComment, processComment } from '../notes.ts';
import { type CaptureDirection, type CaptureVerdict, LINK_TYPE } from '../record.ts';
import { BlockEncoder, type BlockOption, uint64, utf8, words } from './block-encoder.ts';
import { type CaptureSink, type OpenSink, openSink } from './capture-sink.ts';

/** Blocks are handed to the sink in pieces of about this size, and at the end of a turn. */
const CHUNK_BYTES = 64 * 1024;
const MAX_TIMESTAMP_NS = 2n ** 64n - 1n;

export interface CaptureWriterOptions {
  /** Written into the file as the program that made it. Default `netdivert`. */
  readonly application?: string;
  /** Written into the file: the machine and its system, e.g. `os.machine()` and `os.version()`. */
  readonly hardware?: string;
  readonly operatingSystem?: string;
  /** About the whole file. */
  readonly comments?: readonly string[];
}

/** Interfaces are told apart by name and link type. */
export interface WrittenInterface {
  readonly name?: string | null;
  readonly description?: string | null;
  /** Most bytes kept of a packet; default 0: no limit. */
  readonly snapLength?: number;
}

/** A packet to write. A record that was read is one, too. */
export interface CapturePacket {
  readonly bytes: Uint8Array;
  /** Since 1970, in nanoseconds: 0..2^64-1. */
  readonly timestampNs: bigint;
  /** What `bytes` starts with. Default: raw IP. */
  readonly linkType?: number;
  /** Length on the wire when `bytes` has less of it. */
  readonly originalLength?: number;
  /** Default: one without a name. */
  readonly interface?: WrittenInterface;
  readonly direction?: CaptureDirection | null;
  readonly processId?: number | null;
  /** Noted as a comment, as there is no option for it. */
  readonly processName?: string | null;
  readonly verdict?: CaptureVerdict | null;
  /** Noted as a comment; the verdict is `drop`, then. */
  readonly dropReason?: string | null;
  /** Packets that were lost between the one before on the same interface and this one. */
  readonly lostBefore?: number | null;
  readonly comments?: readonly string[];
}

/** How many packets there were on an interface, written or not. */
export interface CaptureStatistics {
  /** Default: the first one in the file. */
  readonly interface?: WrittenInterface;
  /** Of that interface. Default: raw IP. */
  readonly linkType?: number;
  /** Default: those written and those lost. */
  readonly received?: number;
  /** Default: the sum of `lostBefore`. */
  readonly lost?: number;
}

export interface CaptureWriter {
  /** Bytes of the file so far. */
  readonly length: number;
  /**
   * Adds a packet. The bytes may be reused at once; order is that of the calls, whether or not
   * they are waited for.
   *
   * @returns resolves when the sink takes more; rejects when it is broken, e.g. the disk is full
   * @throws RangeError for a timestamp before 1970 or after 2554
   */
  write(packet: CapturePacket): Promise<void>;
  /** Says what `close` notes at the end of the file about an interface. */
  statistics(statistics: CaptureStatistics): void;
  /** Resolves when all packets so far are with the sink, which happens by itself after each turn. */
  flush(): Promise<void>;
  /** Ends the file and the sink. May be called again. */
  close(): Promise<void>;
}

/**
 * Starts a capture file in pcapng format.
 *
 * @param sink - is ended by `close()`
 * @returns the writer; an empty file is complete once `close()` resolved
 */
export function writeCapture(sink: CaptureSink, options: CaptureWriterOptions = {}): CaptureWriter {
  return new PcapngWriter(openSink(sink), options);
}

interface InterfaceState {
  readonly index: number;
  lastNs: bigint;
  written: number;
  lost: number;
  told: CaptureStatistics;
}

class PcapngWriter implements CaptureWriter {
  readonly #sink: OpenSink;
  readonly #encoder = new BlockEncoder();
  readonly #interfaces = new Map<string, InterfaceState>();
  #taken = 0;
  /** What is being written; rejected once the sink is broken. */
  #tail: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #closing: Promise<void> | undefined;

  constructor(sink: OpenSink, options: CaptureWriterOptions) {
    this.#sink = sink;
    this.#encoder.sectionHeader(sectionOptions(options));
  }

  get length(): number {
    return this.#taken + this.#encoder.waiting;
  }

  async write(packet: CapturePacket): Promise<void> {
    if (this.#closing) throw new DivertError('closed', 'The capture file is closed.');
    if (this.#failure) throw this.#failure.error;
    const { bytes, timestampNs } = packet;
    if (timestampNs < 0n || timestampNs > MAX_TIMESTAMP_NS) {
      throw new RangeError(`packet.timestampNs: expected 0..2^64-1, got ${timestampNs}`);
    }
    const state = this.#interfaceOf(packet.linkType ?? LINK_TYPE.RAW, packet.interface ?? {});
    this.#encoder.packet({
      interfaceIndex: state.index,
      timestampNs,
      bytes,
      originalLength: packet.originalLength ?? bytes.length,
      options: packetOptions(packet),
    });
    state.lastNs = timestampNs;
    state.written++;
    state.lost += packet.lostBefore ?? 0;
    if (this.#encoder.waiting >= CHUNK_BYTES) return this.flush();
    this.#timer ??= setTimeout(this.#onTurnEnd, 0);
  }

  statistics(statistics: CaptureStatistics): void {
    const [first] = this.#interfaces.values();
    const { interface: described, linkType } = statistics;
    const isNamed = described !== undefined || linkType !== undefined || first === undefined;
    const state = isNamed ? this.#interfaceOf(linkType ?? LINK_TYPE.RAW, described ?? {}) : first;
    state.told = statistics;
  }

  flush(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const chunks = this.#encoder.take();
    if (chunks.length > 0) {
      this.#tail = this.#writeAll(this.#tail, chunks);
      // Whoever writes next, or closes, is told.
      this.#tail.catch((error: unknown) => {
        this.#failure ??= { error };
      });
    }
    return this.#tail;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    for (const state of this.#interfaces.values()) {
      const lost = state.told.lost ?? state.lost;
      this.#encoder.interfaceStatistics(state.index, state.lastNs, [
        { code: OPTION.ISB_RECEIVED, value: uint64(state.told.received ?? state.written + lost) },
        { code: OPTION.ISB_DROPPED, value: uint64(lost) },
      ]);
    }
    await this.flush();
    await this.#sink.close();
  }

  async #writeAll(before: Promise<void>, chunks: readonly Uint8Array[]): Promise<void> {
    for (const chunk of chunks) this.#taken += chunk.length;
    await before;
    for (const chunk of chunks) await this.#sink.write(chunk);
  }

  readonly #onTurnEnd = (): void => {
    void this.flush();
  };

  #interfaceOf(linkType: number, described: WrittenInterface): InterfaceState {
    const { name, description, snapLength } = described;
    const key = `${linkType} ${name ?? ''}`;
    let state = this.#interfaces.get(key);
    if (!state) {
      const index = this.#interfaces.size;
      state = { index, lastNs: 0n, written: 0, lost: 0, told: {} };
      this.#interfaces.set(key, state);
      this.#encoder.interfaceDescription(linkType, snapLength ?? 0, [
        ...textOption(OPTION.IF_NAME, name),
        ...textOption(OPTION.IF_DESCRIPTION, description),
      ]);
    }
    return state;
  }
}

function textOption(code: number, text: string | null | undefined): BlockOption[] {
  return text ? [{ code, value: utf8(text) }] : [];
}

function sectionOptions(options: CaptureWriterOptions): BlockOption[] {
  return [
    ...(options.comments ?? []).flatMap((comment) => textOption(OPTION.COMMENT, comment)),
    ...textOption(OPTION.SHB_HARDWARE, options.hardware),
    ...textOption(OPTION.SHB_OPERATING_SYSTEM, options.operatingSystem),
    ...textOption(OPTION.SHB_USER_APPLICATION, options.application ?? 'netdivert'),
  ];
}

const INBOUND: BlockOption = { code: OPTION.EPB_FLAGS, value: words(PACKET_DIRECTION.INBOUND) };
const OUTBOUND: BlockOption = { code: OPTION.EPB_FLAGS, value: words(PACKET_DIRECTION.OUTBOUND) };
/** There is none for other systems' verdicts; the numbers mean what they say. */
const DROPPED: BlockOption = { code: OPTION.EPB_VERDICT, value: verdict(TC_ACTION.SHOT) };
const PASSED: BlockOption = { code: OPTION.EPB_VERDICT, value: verdict(TC_ACTION.OK) };

function verdict(action: number): Uint8Array {
  const value = new Uint8Array(VERDICT_BYTES);
  value[0] = VERDICT_KIND.EBPF_TC;
  value.set(uint64(action), 1);
  return value;
}

function packetOptions(packet: CapturePacket): BlockOption[] {
  const { direction, lostBefore, processId } = packet;
  const options: BlockOption[] = [];
  if (direction) options.push(direction === 'inbound' ? INBOUND : OUTBOUND);
  if (lostBefore) options.push({ code: OPTION.EPB_DROP_COUNT, value: uint64(lostBefore) });
  const isDropped = packet.verdict === 'drop' || Boolean(packet.dropReason);
  if (isDropped) options.push(DROPPED);
  else if (packet.verdict === 'pass') options.push(PASSED);
  if (typeof processId === 'number') {
    options.push({ code: OPTION.EPB_PROCESS_THREAD, value: words(processId, 0) });
  }
  for (const comment of commentsOf(packet)) {
    options.push({ code: OPTION.COMMENT, value: utf8(comment) });
  }
  return options;
}

function commentsOf(packet: CapturePacket): readonly string[] {
  const { comments = [], dropReason, processId, processName } = packet;
  if (!dropReason && !processName) return comments;
  const all = new Set(comments);
  if (processName) all.add(processComment(processName, processId ?? 0));
  if (dropReason) all.add(dropComment(dropReason));
  return [...all];
}
