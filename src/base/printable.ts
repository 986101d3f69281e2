// Text of others, made fit for one line of a terminal.

/** `text` with a dot in place of each control character: none ends the line, and none moves a terminal's cursor. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, "·");
}
