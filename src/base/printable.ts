// Makes foreign text safe for one line of a terminal.

/** Replaces each control character by a dot, so that none ends the line or moves a terminal's cursor. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "·");
}
