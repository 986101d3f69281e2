// Values of options that several commands read in the same way.
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
