/**
 * What the typed views of protocol headers have in common. A view reads and writes the caller's
 * bytes in place; it is made over bytes that are long enough and checks nothing afterwards.
 *
 * @module
 */

import {
  readUint8,
  readUint16,
  readUint32,
  writeUint8,
  writeUint16,
  writeUint32,
} from './bytes.ts';

/** What a write makes stale. @internal */
export const CHANGES = {
  /** Some bytes may be other ones. */
  BYTES: 1,
  /** The IPv4 header checksum covers what changed. */
  IP: 2,
  /** The transport checksum covers it. */
  TRANSPORT: 4,
  /** It is in the pseudo header: ICMP over IPv4 has none. */
  PSEUDO_HEADER: 8,
  /** Headers may begin elsewhere now. */
  LAYOUT: 16,
  /** The caller assigned the IPv4 header checksum: it is theirs. */
  IP_ASSIGNED: 32,
  /** The caller assigned the transport checksum. */
  TRANSPORT_ASSIGNED: 64,
  /** The transport checksum was wrong before any change. */
  WRONG: 128,
} as const;

/** Told of every write just before it happens. */
export interface ChangeRecord {
  mark(changes: number): void;
}

/** Nobody keeps a record: a view over plain bytes. */
const NO_RECORD: ChangeRecord = { mark: () => {} };

/** A header in place. */
export abstract class HeaderView {
  /** @internal */
  memory: Uint8Array;
  /** Where the header starts in `memory`. @internal */
  start: number;
  /** End of the packet's data in `memory`. @internal */
  limit: number;
  readonly #record: ChangeRecord;

  /**
   * @param bytes - hold the header
   * @param offset - where it starts
   * @param minimumLength - of the header, in bytes
   * @param record - is told of every write
   * @throws RangeError when the header does not fit
   */
  constructor(bytes: Uint8Array, offset: number, minimumLength: number, record?: ChangeRecord) {
    if (!(offset >= 0 && offset + minimumLength <= bytes.length)) {
      throw new RangeError(
        `${new.target.name}: a header of ${minimumLength} bytes does not fit at ${offset} of ${bytes.length}`,
      );
    }
    this.memory = bytes;
    this.start = offset;
    this.limit = bytes.length;
    this.#record = record ?? NO_RECORD;
  }

  /** Puts the view over another packet. @internal */
  bind(memory: Uint8Array, start: number, limit: number): this {
    this.memory = memory;
    this.start = start;
    this.limit = limit;
    return this;
  }

  protected get8(field: number): number {
    return readUint8(this.memory, this.start + field);
  }

  protected get16(field: number): number {
    return readUint16(this.memory, this.start + field);
  }

  protected get32(field: number): number {
    return readUint32(this.memory, this.start + field);
  }

  protected set8(field: number, value: number, changes: number): void {
    this.mark(changes);
    writeUint8(this.memory, this.start + field, value);
  }

  protected set16(field: number, value: number, changes: number): void {
    this.mark(changes);
    writeUint16(this.memory, this.start + field, value);
  }

  protected set32(field: number, value: number, changes: number): void {
    this.mark(changes);
    writeUint32(this.memory, this.start + field, value);
  }

  /** Copy of `[from, to)` of the header, less what is beyond the packet. */
  protected copy(from: number, to: number): Uint8Array {
    return this.memory.slice(this.start + from, Math.min(this.start + to, this.limit));
  }

  /** Overwrites a part of the header of fixed length. */
  protected overwrite(
    from: number,
    to: number,
    bytes: Uint8Array,
    name: string,
    changes: number,
  ): void {
    if (!(bytes instanceof Uint8Array)) throw new TypeError(`${name}: expected a Uint8Array`);
    const length = Math.max(0, Math.min(this.start + to, this.limit) - this.start - from);
    if (bytes.length !== length) {
      throw new RangeError(
        `${name}: expected the present length, ${length} bytes, got ${bytes.length}`,
      );
    }
    this.mark(changes);
    this.memory.set(bytes, this.start + from);
  }

  protected mark(changes: number): void {
    this.#record.mark(changes | CHANGES.BYTES);
  }
}

/**
 * @throws TypeError for anything but a number
 * @throws RangeError for one that is not an integer 0..maximum
 * @internal
 */
export function checkInteger(value: number, maximum: number, name: string): number {
  if (Number.isInteger(value) && value >= 0 && value <= maximum) return value;
  if (typeof value !== 'number') {
    throw new TypeError(`${name}: expected a number, got ${describeType(value)}`);
  }
  throw new RangeError(`${name}: expected an integer 0..${maximum}, got ${value}`);
}

/** @throws TypeError for anything but true and false @internal */
export function checkBoolean(value: boolean, name: string): boolean {
  if (typeof value === 'boolean') return value;
  throw new TypeError(`${name}: expected true or false, got ${describeType(value)}`);
}

/** @internal */
export function describeType(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
