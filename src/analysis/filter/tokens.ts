// Cuts a filter into words, quoted texts and signs. A word's place decides if it is a number or a name.
import { FilterError } from "./filter-error.js";

export interface Token {
  kind: "word" | "text" | "sign" | "end";
  text: string;
  /** Counted from 1. */
  column: number;
}

const signs = ["==", "!=", "<=", ">=", "!~", "&&", "||", "=", "<", ">", "~", "&", "!", "(", ")", "{", "}", ","];
/** Characters of devices' addresses, registers' names with globs, symbols, and numbers with units. */
const wordCharacters = /[\p{L}\p{N}_.:*?+@/$#[\]-]+/uy;
const expressionMax_chars = 10_000;

/** Cuts an expression into tokens; the last one is of kind `end`. Throws FilterError. */
export function tokensOf(expression: string): Token[] {
  if (expression.length > expressionMax_chars) {
    throw new FilterError(expression.slice(0, 100), 1, `it is longer than ${expressionMax_chars} characters`);
  }
  const tokens: Token[] = [];
  let at = 0;
  while (at < expression.length) {
    const column = at + 1;
    const character = expression[at]!;
    if (/\s/.test(character)) {
      at += 1;
    } else if (character === '"' || character === "'") {
      const { text, end } = quoted(expression, at);
      tokens.push({ kind: "text", text, column });
      at = end;
    } else {
      wordCharacters.lastIndex = at;
      const word = wordCharacters.exec(expression)?.[0];
      const sign = signs.find((one) => expression.startsWith(one, at));
      if (word !== undefined) tokens.push({ kind: "word", text: word, column });
      else if (sign !== undefined) tokens.push({ kind: "sign", text: sign, column });
      else throw new FilterError(expression, column, `"${character}" means nothing here`);
      at += (word ?? sign)!.length;
    }
  }
  tokens.push({ kind: "end", text: "", column: expression.length + 1 });
  return tokens;
}

/** Reads a text in single or double quotes from `start` on; a backslash quotes the next character. */
function quoted(expression: string, start: number): { text: string; end: number } {
  const quote = expression[start];
  let text = "";
  for (let at = start + 1; at < expression.length; at += 1) {
    const character = expression[at]!;
    if (character === quote) return { text, end: at + 1 };
    if (character === "\\" && (expression[at + 1] === quote || expression[at + 1] === "\\")) at += 1;
    text += expression[at];
  }
  throw new FilterError(expression, start + 1, "the text that begins here has no closing quote");
}
