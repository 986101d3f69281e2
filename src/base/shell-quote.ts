// Quotes any text as a word of a shell script.

/** Returns `text` as one word for a POSIX shell, in single quotes. */
export function shellQuoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
