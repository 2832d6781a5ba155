/**
 * Foreign text made safe to print.
 *
 * @module
 */

/** Control characters that are white space. */
export const BLANKS: RegExp = /[\t\n\v\f\r\u0085\u2028\u2029]/g;

/** Control characters, and invisible ones such as those that change the direction of writing. */
export const INVISIBLE: RegExp = /[\p{Cc}\p{Cf}\p{Cs}]/gu;

/** Blanks for line breaks, escapes for control characters. */
export function visible(text: string): string {
  return text
    .replace(BLANKS, ' ')
    .replace(
      INVISIBLE,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
}
