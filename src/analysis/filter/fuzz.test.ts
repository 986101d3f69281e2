// Filters and places (--from, --to) made at random: what can be read works on every event, whatever it holds, and what
// can't is a UsageError; never anything else, and never for long.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { UsageError } from "../../base/errors.js";
import { parseBound } from "../../cli/selection-options.js";
import { madeUpHeader, madeUpRecords } from "../../trace/made-up-records.js";
import type { TraceReader } from "../../trace/reader.js";
import type { Bound } from "../selection.js";
import { mapSelected, traceOf } from "../traces-for-tests.js";
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

/** An expression that a grammar makes, so that most of them compile. */
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

/** The filter, or undefined where it can't be read. */
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
      // What was lost is shown with either.
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

describe("any place", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 12 }),
    fc.tuple(fc.double().map(String), fc.constantFrom("", "s", "ms", "us", "µs", "ns")).map((parts) => parts.join("")),
    fc.constantFrom(
      "1e308",
      "-1e308",
      "1e999",
      "5e-324",
      "@0",
      "@999999999999999",
      "@9999999999999999",
      "mark:",
      "mark:x",
    ),
    fc.bigInt().map((number) => `@${number}`),
  );

  test("is a time, an event or a marker, or is refused", async () => {
    const slow = await traceOf(
      madeUpRecords(40, 3),
      madeUpHeader({ clock: { tsc: "0x0", wall_ns: "0x0", tscFrequency_hz: 1 } }),
    );
    let found = 0;
    const bound = (given: string, option: string): Bound | undefined => {
      try {
        return parseBound(given, option);
      } catch (error) {
        expect(error).toBeInstanceOf(UsageError);
        expect((error as Error).message).toContain(`${option} ${given} is no place in a trace`);
        return undefined;
      }
    };
    const property = fc.asyncProperty(text, text, async (from, to) => {
      const bounds = { from: bound(from, "--from"), to: bound(to, "--to") };
      if (bounds.from !== undefined || bounds.to !== undefined) found += 1;
      for (const trace of [reader, slow]) await mapSelected(trace, bounds, () => 0);
    });
    await fc.assert(property, { numRuns: 300 });
    expect(found).toBeGreaterThan(50);
    await slow.close();
  });

  test("too far away for any time stamp is before everything, or after it", async () => {
    const all = await isSoundLength(undefined);
    const count = (from: string, to: string) =>
      mapSelected(reader, { from: parseBound(from, "--from"), to: parseBound(to, "--to") }, () => 1);
    expect(await count("-1e308", "1e308")).toHaveLength(all);
    expect(await count("1e308", "1e308")).toHaveLength(0);
  });
});
