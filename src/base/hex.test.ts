// tier: quick
import fc from "fast-check";
import { expect, test } from "vitest";
import { eightHexDigits, hexDigits } from "./hex.js";

test("digits are those of toString(16)", () => {
  const check = (value: number) => {
    expect(hexDigits(value)).toBe(value.toString(16));
    expect(eightHexDigits(value)).toBe(value.toString(16).padStart(8, "0"));
  };
  for (const value of [0, 1, 0xffff, 0x1_0000, 0x1_0001, 0x8000_0000, 0xffff_ffff]) check(value);
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), check), { numRuns: 5_000 });
});
