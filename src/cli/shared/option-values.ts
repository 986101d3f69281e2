// Values of options that several commands read in the same way.
import { type AccessKind, accessKinds } from "../../rewrite/instrument-order.js";
import { UsageError } from "./exit-code.js";

/** For an option that may be repeated: all its values. */
export function collect(value: string, before: readonly string[] = []): string[] {
  return [...before, value];
}

/** Reads the value of the option called `option`: a whole decimal number. Throws UsageError. */
export function wholeNumber(option: string, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || value < least || value > most) {
    const range = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new UsageError(`${option} ${text}: not a whole number ${range}`);
  }
  return value;
}

/** Reads the value of --accesses: kinds of accesses, separated by commas. Throws UsageError. */
export function parseAccesses(text: string): AccessKind[] {
  const found = text.split(",").map((word) => {
    const kind = accessKinds.find((known) => known === word);
    if (kind === undefined) {
      throw new UsageError(`--accesses ${text}: ${word === "" ? "an empty word" : word} is no kind of accesses`, {
        advice: `${accessKinds.join(", ")}, or several with commas between them`,
      });
    }
    return kind;
  });
  return [...new Set(found)];
}
