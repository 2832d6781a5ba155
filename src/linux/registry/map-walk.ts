/**
 * Finding maps by name. The kernel numbers them upwards, so what is new is found without
 * looking at the others again.
 *
 * @module
 */
import { UnsupportedError } from '../../errors.ts';
import { BPF_MAP_TYPE } from '../bpf/constants.ts';
import { nextMapId, openMapById, readFirstValue, readMapInfo } from '../bpf/object-ids.ts';
import { libc } from '../sys/libc.ts';
import { MAX_RECORD_BYTES } from './handle-record.ts';

/** What maps that describe a handle are called, before the process's number. */
export const REGISTRY_PREFIX = 'ndv_reg_';
/** What maps of reflect handles are called, before the process's number. */
export const WATCH_PREFIX = 'ndv_rfl_';

/** Looks through all maps of the machine, each once. */
export class MapWalk {
  readonly #prefix: string;
  /** To be looked at again. Some could not be: too many open files, or no memory. */
  readonly #again = new Set<number>();
  #last = 0;

  /** @param prefix of the names looked for */
  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /**
   * Looks at the maps that were created since the last call, and at those that are to be looked at again.
   *
   * @param visit gets the number and value of each array of one element with such a name
   * @param onUnseen gets the reason why a map, of whatever name, could not be looked at this time
   * @returns whether this process may do this
   */
  walk(
    visit: (id: number, value: Uint8Array) => void,
    onUnseen: (error: unknown) => void,
  ): boolean {
    for (const id of [...this.#again]) this.#look(id, visit, onUnseen);
    for (;;) {
      const id = nextMapId(this.#last);
      if (id === null || id === 0) return id === 0;
      this.#last = id;
      this.#look(id, visit, onUnseen);
    }
  }

  #look(
    id: number,
    visit: (id: number, value: Uint8Array) => void,
    onUnseen: (error: unknown) => void,
  ): void {
    let value: Uint8Array | null;
    try {
      value = readMap(id, this.#prefix);
      this.#again.delete(id);
    } catch (error) {
      this.#again.add(id);
      onUnseen(error);
      return;
    }
    if (value) visit(id, value);
  }

  /** Has the next walk look at a map again. */
  lookAgain(id: number): void {
    this.#again.add(id);
  }

  /** @param id of a map created just now: when the kernel began anew at low numbers, so does this */
  noteNewest(id: number): void {
    if (id < this.#last) this.#last = 0;
  }
}

/**
 * Value of an array of one element.
 *
 * @param prefix what its name must begin with
 * @returns yours; null when there is no such map, or it is another kind of map
 * @throws {@link SystemError} when it cannot be looked at now: too many open files, or no memory
 */
export function readMap(id: number, prefix: string): Uint8Array | null {
  const fd = openMapById(id);
  if (fd === null) return null;
  try {
    const { name, type, maxEntries, valueBytes } = readMapInfo(fd);
    if (!name.startsWith(prefix) || type !== BPF_MAP_TYPE.ARRAY) return null;
    if (maxEntries !== 1 || valueBytes > MAX_RECORD_BYTES) return null;
    return readFirstValue(fd, valueBytes);
  } finally {
    libc.close(fd);
  }
}

/** For who has to know all maps. */
export function failUnseen(error: unknown): never {
  throw error;
}

/** For who looks again later. */
export function ignoreUnseen(): void {}

/** What is said when others' handles cannot be looked at. */
export function walkRefused(operation: string): UnsupportedError {
  return new UnsupportedError('CAP_SYS_ADMIN', `Cannot ${operation}: EPERM`, {
    code: 'access-denied',
    hint: 'Run as root or with CAP_SYS_ADMIN: the kernel lists BPF maps for nobody else.',
  });
}
