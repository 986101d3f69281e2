// Splits QEMU's arguments as a shell would: at blanks, except inside quotes.
import { InvalidValueError } from "../base/errors.js";

/** Splits `-append 'a b' -m 1` into `-append`, `a b`, `-m`, `1`. Quotes don't nest; there are no escapes. Throws InvalidValueError. */
export function splitWords(text: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote: string | undefined;
  for (const character of text) {
    if (quote !== undefined) {
      if (character === quote) quote = undefined;
      else word += character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? "") + character;
  }
  if (quote !== undefined) throw new InvalidValueError(text, `${text}: the quote ${quote} isn't closed`);
  if (word !== undefined) words.push(word);
  return words;
}
