/**
 * Names of hosts, and those below them.
 *
 * @module
 */

/** What hosts files map names to that shall lead nowhere. */
const HOSTS_FILE_ADDRESS = /^(?:\d{1,3}(?:\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$/;
const NAME = /^[\p{L}\p{N}_-]+(?:\.[\p{L}\p{N}_-]+)*$/u;

/** A line that is no entry of a block list. */
export interface BadLine {
  /** 1-based. */
  readonly number: number;
  readonly text: string;
}

/** Hosts that are blocked: each with everything below it. */
export class BlockList {
  readonly #names = new Set<string>();
  /** Lines that could not be read. */
  readonly bad: BadLine[] = [];

  /** Number of names. */
  get size(): number {
    return this.#names.size;
  }

  /**
   * Adds the names of a list: one a line, `*.` and `.` in front are understood, `#` begins a comment; lines of
   * hosts files (`0.0.0.0 ads.example`) too.
   */
  addText(text: string): void {
    for (const [index, line] of text.split('\n').entries()) {
      const words = line.replace(/#.*/, '').trim().split(/\s+/).filter(Boolean);
      const [first = '', ...rest] = words;
      const names = HOSTS_FILE_ADDRESS.test(first) && rest.length > 0 ? rest : words;
      const isLine = names.length <= 1 || names === rest;
      if (!isLine || !names.every((name) => this.add(name))) {
        this.bad.push({ number: index + 1, text: line.trim() });
      }
    }
  }

  /**
   * Adds a name.
   *
   * @returns false when it is none
   */
  add(name: string): boolean {
    const plain = name
      .replace(/^\*?\./, '')
      .replace(/\.$/, '')
      .toLowerCase();
    if (!NAME.test(plain)) return false;
    this.#names.add(plain);
    return true;
  }

  /** The entry that blocks a host, or null. */
  find(host: string): string | null {
    let name = host.replace(/\.$/, '').toLowerCase();
    for (;;) {
      if (this.#names.has(name)) return name;
      const dot = name.indexOf('.');
      if (dot < 0) return null;
      name = name.slice(dot + 1);
    }
  }
}
