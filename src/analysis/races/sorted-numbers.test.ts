// tier: quick
// The search in rising numbers, against a plain one.
import fc from "fast-check";
import { expect, test } from "vitest";
import { lastAtMost } from "./sorted-numbers.js";

test("finds what a plain search finds", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 40 }),
      fc.integer({ min: -1, max: 61 }),
      (some, limit) => {
        const numbers = some.sort((a, b) => a - b);
        expect(lastAtMost(numbers, limit)).toBe(numbers.findLastIndex((number) => number <= limit));
      },
    ),
    { numRuns: 2000 },
  );
});
