// JSON for programs, as JSON.stringify prints it with two spaces, but written as it is made: only one row of a large result is in
// memory as text.
import type { TextOutput } from "./text-output.js";

/** Converts values that JSON lacks: addresses and values become the text that is used everywhere else. */
function jsonValue(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? `0x${value.toString(16)}` : value;
}

const textOf = (value: unknown, indent: string) =>
  (JSON.stringify(value, jsonValue, 2) as string | undefined)?.replaceAll("\n", `\n${indent}`);

function isList(value: unknown): value is Iterable<unknown> {
  return typeof value === "object" && value !== null && Symbol.iterator in value;
}

/** Writes an object, and a line end; its own arrays and other iterables are written element by element. */
export async function writeJson(output: TextOutput, object: object): Promise<void> {
  let between = "{\n";
  for (const [name, value] of Object.entries(object)) {
    const text = isList(value) ? "[" : textOf(value, "  ");
    if (text === undefined) continue;
    await output.write(`${between}  ${JSON.stringify(name)}: ${text}`);
    between = ",\n";
    if (!isList(value)) continue;
    let any = false;
    for (const element of value) {
      await output.write(`${any ? "," : ""}\n    ${textOf(element, "    ") ?? "null"}`);
      any = true;
    }
    await output.write(any ? "\n  ]" : "]");
  }
  await output.write(between === "{\n" ? "{}\n" : "\n}\n");
  await output.flush();
}
