// Colours on a terminal.
import { styleText } from "node:util";
import type { LinePart, Paint } from "../../trace/text.js";
import { UsageError } from "./exit-code.js";

export const colorChoices = ["auto", "always", "never"] as const;
export type ColorChoice = (typeof colorChoices)[number];

/** Throws UsageError for colours in a form that has none, such as `--json`. */
export function requireTextForColor(choice: ColorChoice, hasNone: boolean, form: string): void {
  if (choice === "always" && hasNone) throw new UsageError(`--color always has no effect with ${form}`);
}

type Style = Parameters<typeof styleText>[0];

const styles: Readonly<Record<LinePart, Style | undefined>> = {
  head: "dim",
  time: "dim",
  read: "green",
  write: "yellow",
  where: undefined,
  register: "bold",
  value: "cyan",
  site: "dim",
  meaning: "magenta",
  note: "blue",
  alarm: ["bold", "red"],
};

/** Returns true if output should have colours. `auto`: on a terminal that isn't dumb, unless NO_COLOR is set (no-color.org). */
function wantsColor(choice: ColorChoice, stream: { isTTY?: boolean } = process.stdout): boolean {
  if (choice !== "auto") return choice === "always";
  return stream.isTTY === true && !process.env.NO_COLOR && process.env.TERM !== "dumb";
}

/** Returns the painter; undefined for output without colours. */
export function paintFor(choice: ColorChoice): Paint | undefined {
  if (!wantsColor(choice)) return undefined;
  return (part, text) => {
    const style = styles[part];
    return style === undefined || text.trim() === "" ? text : styleText(style, text, { validateStream: false });
  };
}
