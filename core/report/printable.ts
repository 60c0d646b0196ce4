/**
 * Controls of terminals, and what turns the direction of writing: a name that holds them could write
 * elsewhere on the screen, or read differently from what it is (C0, DEL, C1, U+061C, U+200E-200F,
 * U+2028-202E, U+2066-2069, U+FEFF, halves of surrogate pairs).
 */
const CONTROLS = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]/gu;

/** The text for a terminal: controls are shown as `\u{1b}`, lines and tabs are left. */
export function printable(text: string): string {
  return text.replaceAll(CONTROLS, (character) =>
    character === "\n" || character === "\t" ? character : escaped(character),
  );
}

/** The text on one line of at most `length` characters. */
export function printableLine(text: string, length = 500): string {
  const cut = text.length > length ? `${text.slice(0, length)}…` : text;
  return cut.replaceAll(CONTROLS, escaped);
}

function escaped(character: string): string {
  if (character === "\n") return "\\n";
  if (character === "\t") return "\\t";
  return `\\u{${character.codePointAt(0)?.toString(16)}}`;
}

/**
 * JSON for a terminal. JSON itself escapes the controls below U+0020 only; the others are written
 * with JSON's own escape, so that a program reads the same text.
 */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replaceAll(
    CONTROLS,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
