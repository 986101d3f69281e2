// Words for a shell's script, whatever they hold.

/** `text` as one word of a POSIX shell's, in single quotes. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
