/**
 * Named sets of workers. The kernel looks into the maps of the first thread's; for the packets that it leaves to the workers
 * each of these has a copy, which follows every change.
 *
 * @module
 */
import type { SetEntry } from '../filter/extended/set-entry.ts';
import { FilterSet } from '../filter/index.ts';

/** Sets by their names in filters. */
export type NamedSets = Readonly<Record<string, FilterSet>>;

/** Members as words, five of each: its length, and its value from the least significant word on. */
type Members = Uint32Array;

const MEMBER_WORDS = 5;
/** Members that are copied before the program has its turn. */
const SLICE_MEMBERS = 4096;

/** What became different in a set. */
export interface SetChange {
  readonly name: string;
  /** 'replaced': these are all there are. */
  readonly kind: 'added' | 'deleted' | 'replaced';
  readonly members: Members;
}

/** The first thread's side. */
export class SetCopies {
  readonly members: Readonly<Record<string, Members>>;
  readonly #stops: readonly (() => void)[];
  #changes: SetChange[];
  #send: ((changes: readonly SetChange[]) => void) | null = null;
  #isScheduled = false;

  /** Copies the members as they are, a slice at a time; changes meanwhile are kept for later. */
  static async create(sets: NamedSets): Promise<SetCopies> {
    const changes: SetChange[] = [];
    let tell = (change: SetChange): void => void changes.push(change);
    const stops = Object.entries(sets).map(([name, set]) =>
      set.onChange({
        added: (entry) => tell({ name, kind: 'added', members: pack([entry], 1) }),
        deleted: (entry) => tell({ name, kind: 'deleted', members: pack([entry], 1) }),
        replaced: () => tell({ name, kind: 'replaced', members: pack(set.entries(), set.size) }),
      }),
    );
    const members: Record<string, Members> = {};
    for (const [name, set] of Object.entries(sets)) members[name] = await packInSlices(set);
    const copies = new SetCopies(members, stops, changes);
    tell = (change) => copies.#tell(change);
    return copies;
  }

  private constructor(
    members: Readonly<Record<string, Members>>,
    stops: readonly (() => void)[],
    changes: SetChange[],
  ) {
    this.members = members;
    this.#stops = stops;
    this.#changes = changes;
  }

  /** Has changes sent from now on, all of a turn at a time. */
  connect(send: (changes: readonly SetChange[]) => void): void {
    this.#send = send;
    this.#flush();
  }

  close(): void {
    this.#send = null;
    for (const stop of this.#stops) stop();
  }

  #tell(change: SetChange): void {
    this.#changes.push(change);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#isScheduled = false;
    if (this.#send === null || this.#changes.length === 0) return;
    const changes = this.#changes;
    this.#changes = [];
    this.#send(changes);
  }
}

/** A worker's copies of the sets. */
export function copiedSets(members: Readonly<Record<string, Members>>): NamedSets {
  const copies = Object.entries(members).map(([name, words]) => [name, setOf(words)]);
  return Object.fromEntries(copies);
}

/** Brings a worker's copies up to date. */
export function follow(sets: NamedSets, changes: readonly SetChange[]): void {
  for (const { name, kind, members } of changes) {
    const set = sets[name];
    if (kind === 'replaced') set?.assign(setOf(members));
    else for (const entry of unpack(members)) set?.change(entry, kind === 'added');
  }
}

function setOf(members: Members): FilterSet {
  const set = new FilterSet();
  for (const entry of unpack(members)) set.change(entry, true);
  return set;
}

function pack(entries: Iterable<SetEntry>, count: number): Members {
  const members = new Uint32Array(count * MEMBER_WORDS);
  let at = 0;
  for (const entry of entries) at = write(members, at, entry);
  return members;
}

/** All threads get the same memory. */
async function packInSlices(set: FilterSet): Promise<Members> {
  const slices: Members[] = [];
  let slice: SetEntry[] = [];
  for (const entry of set.entries()) {
    if (slice.push(entry) < SLICE_MEMBERS) continue;
    slices.push(pack(slice, slice.length));
    slice = [];
    await new Promise((resolve) => setImmediate(resolve));
  }
  slices.push(pack(slice, slice.length));
  const words = slices.reduce((sum, { length }) => sum + length, 0);
  const members = new Uint32Array(new SharedArrayBuffer(words * Uint32Array.BYTES_PER_ELEMENT));
  let at = 0;
  for (const part of slices) {
    members.set(part, at);
    at += part.length;
  }
  return members;
}

function write(members: Members, at: number, { words, length }: SetEntry): number {
  members[at] = length;
  members.set(words, at + 1);
  return at + MEMBER_WORDS;
}

function* unpack(members: Members): Generator<SetEntry> {
  for (let at = 0; at < members.length; at += MEMBER_WORDS) {
    const [length = 0, w0 = 0, w1 = 0, w2 = 0, w3 = 0] = members.subarray(at, at + MEMBER_WORDS);
    yield { words: [w0, w1, w2, w3], length };
  }
}
