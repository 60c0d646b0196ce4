/**
 * The text on one line, in the order in which it is written: whoever may write a cell or a line must
 * not be able to write two, nor to turn the direction of what follows (U+061C, U+200E-200F,
 * U+202A-202E, U+2066-2069).
 */
export function oneLine(text: string): string {
  return text.replaceAll(/[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]+/gu, " ");
}
