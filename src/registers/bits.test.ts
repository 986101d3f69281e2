// tier: quick
// Bits of values as two numbers, against the same with bigints.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bitAt, bitsOf, halvesOf, hexText, maskBetween, normalize, wholeOf } from "./bits.js";

const values = fc.oneof(
  fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  fc.constantFrom(0n, 1n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n),
);
const ranges = fc
  .tuple(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 0, max: 63 }))
  .map(([one, other]) => [Math.min(one, other), Math.max(one, other)] as const);

test("halves are a value's, and make it again", () => {
  fc.assert(
    fc.property(values, (value) => {
      const { low, high } = halvesOf(value);
      expect([BigInt(low), BigInt(high)]).toEqual([value & 0xffff_ffffn, value >> 32n]);
      expect(wholeOf({ low, high })).toBe(value);
      // as signed operations leave them
      expect(wholeOf({ low: low | 0, high: high | 0 })).toBe(value);
    }),
  );
});

test("a number is one as long as it is exact", () => {
  expect([normalize(2n ** 53n - 1n), normalize(2n ** 53n)]).toEqual([2 ** 53 - 1, 2n ** 53n]);
});

describe("bits", () => {
  test("of all ranges", () => {
    fc.assert(
      fc.property(values, ranges, (value, [low, high]) => {
        const mask = ((1n << BigInt(high - low + 1)) - 1n) << BigInt(low);
        expect(wholeOf(maskBetween(low, high))).toBe(mask);
        const bits = bitsOf(halvesOf(value), low, high);
        expect(BigInt(bits)).toBe((value & mask) >> BigInt(low));
        expect(bits).toBe(normalize(BigInt(bits)));
        expect(bitAt(halvesOf(value), low)).toBe(((value >> BigInt(low)) & 1n) === 1n);
      }),
      { numRuns: 3_000 },
    );
  });

  test("of every whole half, and across them", () => {
    const value = 0xfedc_ba98_7654_3210n;
    for (const [low, high, wanted] of [
      [0, 31, 0x7654_3210],
      [32, 63, 0xfedc_ba98],
      [28, 35, 0x87],
      [31, 32, 0],
      [0, 63, value],
      [31, 31, 0],
      [63, 63, 1],
      [32, 32, 0],
    ] as const) {
      expect(bitsOf(halvesOf(value), low, high)).toBe(wanted);
    }
    expect(maskBetween(0, 63)).toEqual({ low: 0xffff_ffff, high: 0xffff_ffff });
    expect(maskBetween(32, 32)).toEqual({ low: 0, high: 1 });
  });
});

test("numbers are formatted as by %#x", () => {
  for (const [value, text] of [
    [0, "0"],
    [1, "0x1"],
    [0xffff_ffff, "0xffffffff"],
    [0x1_0000_0000, "0x100000000"],
    [2n ** 64n - 1n, "0xffffffffffffffff"],
  ] as const) {
    expect(hexText(value)).toBe(text);
  }
});
