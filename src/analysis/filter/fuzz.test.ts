// tier: quick
// Random filters: a readable one works on every event, and any other is a FilterError; never anything else, and never for
// long.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeUpRecords } from "../../../dev/test-support/made-up-records.js";
import { mapSelected, traceOf } from "../../../dev/test-support/recorded-traces.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { globTest } from "./comparisons.js";
import { conditions, fields } from "./fields.js";
import { compileFilter, type Filter } from "./filter.js";
import { FilterError } from "./filter-error.js";

let reader: TraceReader;
beforeAll(async () => {
  // Events of every kind, with addresses, values and sites of all 64 bits.
  reader = await traceOf(madeUpRecords(400, 5));
});
afterAll(() => reader.close());

const odd = fc.constantFrom(
  "0x",
  "..",
  "1..",
  "..2",
  "9".repeat(400),
  "1e999",
  "-0",
  "\\",
  "\u{1f600}",
  "\0",
  "mmio-*",
  "a.b+c",
);
const word = fc.oneof(
  fc.constantFrom(...fields.keys(), ...conditions.keys()),
  fc.constantFrom("==", "!=", "<", "<=", ">", ">=", "~", "!~", "&", "in", "{", "}", "(", ")", ",", "not", "and", "or"),
  fc.constantFrom("1", "0x80080783", "0b101", "1..3", "300ms", "read", "STATUS", "EE?D", "'a b'", '"x'),
  fc.string({ unit: "binary", maxLength: 8 }),
  odd,
);

/** Expressions made by a grammar, so that most of them compile. */
const sound = fc.letrec<{ any: string; comparison: string; not: string; both: string }>((tie) => ({
  any: fc.oneof({ maxDepth: 4, withCrossShrink: true }, tie("comparison"), tie("not"), tie("both")),
  comparison: fc
    .tuple(
      fc.constantFrom(...fields),
      fc.constantFrom("==", "!=", "<", ">=", "~", "!~"),
      fc.oneof(fc.bigInt({ min: -1n, max: (1n << 65n) - 1n }), fc.string({ maxLength: 12 })),
    )
    .map(([[name, field], operator, value]) => {
      const isText = field.kind === "text";
      const known = isText && field.known !== undefined ? [...field.known.keys()][0]! : undefined;
      const fitting = isText
        ? /[=~]/.test(operator)
          ? operator
          : "=="
        : operator.replace("!~", "!=").replace("~", "==");
      return `${name} ${fitting} ${JSON.stringify(known ?? `${isText || typeof value === "bigint" ? value : value.length}`)}`;
    }),
  not: tie("any").map((inner) => `not ${inner}`),
  both: fc
    .tuple(tie("any"), fc.constantFrom("and", "or", "&&", "||"), tie("any"))
    .map(([left, join, right]) => `(${left}) ${join} (${right})`),
})).any;

/** Compiles a filter; undefined if it can't be read. */
function compiled(expression: string): Filter | undefined {
  try {
    return compileFilter(expression);
  } catch (error) {
    if (!(error instanceof FilterError)) throw error;
    expect(error.message).toMatch(/^the filter can't be read at column \d+: /);
    return undefined;
  }
}

const isSoundLength = (filter: Filter | undefined) =>
  mapSelected(reader, { filter }, () => 1).then((found) => found.length);

describe("any filter", () => {
  test("is read, or refused at a column", () => {
    const anything = fc.oneof(
      fc.string({ unit: "binary", maxLength: 60 }),
      fc.array(word, { maxLength: 12 }).map((words) => words.join(" ")),
    );
    fc.assert(
      fc.property(anything, (expression) => {
        compiled(expression);
      }),
      { numRuns: 5_000 },
    );
  });

  test("that can be read works on every kind of event, and not on it gives the others", async () => {
    const everything = await isSoundLength(undefined);
    const lost = await isSoundLength(compileFilter("op == lost"));
    let count = 0;
    const property = fc.asyncProperty(sound, async (expression) => {
      const filter = compiled(expression);
      if (filter === undefined) return;
      count += 1;
      const fitting = await isSoundLength(filter);
      const others = await isSoundLength(compileFilter(`not (${expression})`));
      // LOST events are shown with either filter.
      expect(fitting + others).toBe(everything + lost);
    });
    await fc.assert(property, { numRuns: 250 });
    expect(count).toBeGreaterThan(50);
  });

  test("costs no more than it is long: stars upon stars end", () => {
    const filter = globTest(`${"*a".repeat(2_000)}b`);
    expect(filter("a".repeat(20_000))).toBe(false);
    expect(filter(`${"a".repeat(20_000)}b`)).toBe(true);
  });

  test("with * and ? finds what a regular expression of the same finds", () => {
    const text = fc.string({ unit: fc.constantFrom("a", "B", "-", ".", "\n", "\u{1f600}"), maxLength: 8 });
    const glob = fc.string({ unit: fc.constantFrom("a", "b", "-", ".", "*", "?", "\u{1f600}"), maxLength: 7 });
    const property = fc.property(text, glob, (given, pattern) => {
      const source = [...pattern].map((one) => (one === "*" ? ".*" : one === "?" ? "." : one.replace(/[.]/, "\\.")));
      expect(globTest(pattern)(given)).toBe(new RegExp(`^${source.join("")}$`, "isu").test(given));
    });
    fc.assert(property, { numRuns: 3_000 });
  });
});
