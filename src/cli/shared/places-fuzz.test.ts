// tier: quick
// Random places in a trace (--from, --to): each is a time, an event or a marker that works with every trace, or a UsageError.
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeUpHeader, madeUpRecords } from "../../../dev/test-support/made-up-records.js";
import { mapSelected, traceOf } from "../../../dev/test-support/recorded-traces.js";
import type { Bound } from "../../analysis/view/range.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { UsageError } from "./exit-code.js";
import { parseBound } from "./selection-options.js";

let reader: TraceReader;
beforeAll(async () => {
  reader = await traceOf(madeUpRecords(400, 5));
});
afterAll(() => reader.close());

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
    await fc.assert(property, { numRuns: 120 });
    expect(found).toBeGreaterThan(20);
    await slow.close();
  });

  test("too far away for any time stamp is before everything, or after it", async () => {
    const all = (await mapSelected(reader, {}, () => 1)).length;
    const count = (from: string, to: string) =>
      mapSelected(reader, { from: parseBound(from, "--from"), to: parseBound(to, "--to") }, () => 1);
    expect(await count("-1e308", "1e308")).toHaveLength(all);
    expect(await count("1e308", "1e308")).toHaveLength(0);
  });
});
