const BYTES_PER_LINE = 16;
const FIRST_PRINTABLE = 0x20;
const LAST_PRINTABLE = 0x7e;

/**
 * Lines of offset and bytes in pairs, as tcpdump prints them.
 *
 * @param withCharacters - also what the bytes are in ASCII
 */
export function hexDump(bytes: Uint8Array, withCharacters: boolean): string[] {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += BYTES_PER_LINE) {
    const part = bytes.subarray(at, at + BYTES_PER_LINE);
    let digits = '';
    let characters = '';
    for (const [index, byte] of part.entries()) {
      digits += byte.toString(16).padStart(2, '0') + (index % 2 === 1 ? ' ' : '');
      characters +=
        byte >= FIRST_PRINTABLE && byte <= LAST_PRINTABLE ? String.fromCharCode(byte) : '.';
    }
    const width = (BYTES_PER_LINE * 5) / 2;
    const start = `\t0x${at.toString(16).padStart(4, '0')}:  `;
    lines.push(
      withCharacters ? `${start}${digits.padEnd(width)} ${characters}` : start + digits.trimEnd(),
    );
  }
  return lines;
}

/**
 * Bytes from hexadecimal text; white space, colons and a leading `0x` do not count.
 *
 * @returns null when it is none
 */
export function parseHex(text: string): Uint8Array | null {
  const digits = text.replace(/^0x/i, '').replace(/[\s:]/g, '');
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return null;
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
