// tier: quick
import fc from "fast-check";
import { expect, test } from "vitest";
import { bytesText, countOf, countText, durationText, secondsText } from "./units.js";

test("durations have three digits and the unit that fits", () => {
  const cases: [number, string][] = [
    [0, "0 ns"],
    [250e-9, "250 ns"],
    [7.061e-6, "7.06 µs"],
    [0.0123, "12.3 ms"],
    [0.9999, "1.00 s"],
    [0.099_96, "100 ms"],
    [415.4, "415 s"],
  ];
  for (const [seconds, text] of cases) expect(durationText(seconds)).toBe(text);
});

test("bytes and counts", () => {
  expect([0, 1023, 1024, 29_400, 3_000_000].map(bytesText)).toEqual([
    "0 B",
    "1023 B",
    "1.00 KiB",
    "28.7 KiB",
    "2.86 MiB",
  ]);
  for (const count of [0, 7, 999, 1000, 65_536, 999_999, 1_234_567n, 2 ** 53, -1000, -999, 2n ** 64n]) {
    expect(countText(count)).toBe(count.toLocaleString("en-US"));
  }
});

test("a number agrees with its noun", () => {
  expect([0, 1, 2, 1n, 1200n].map((count) => countOf(count, "mapping"))).toEqual([
    ...["0 mappings", "1 mapping", "2 mappings", "1 mapping", "1,200 mappings"],
  ]);
  expect([1, 3].map((count) => countOf(count, "access was", "accesses were"))).toEqual([
    "1 access was",
    "3 accesses were",
  ]);
});

test("seconds are those of toFixed, to the last digit but where that rounds a half", () => {
  for (const seconds of [0, 1e-9, 0.999_999_999_4, 0.999_999_999_6, 59.000_001, 1e9, -0.5, 2 ** 60]) {
    expect(secondsText(seconds)).toBe(seconds.toFixed(9));
  }
  expect(secondsText(-1e-12)).toBe("0.000000000");
  fc.assert(
    fc.property(fc.double({ min: 0, max: 8e6, noNaN: true }), (seconds) => {
      const text = secondsText(seconds);
      expect(text).toMatch(/^\d+\.\d{9}$/);
      expect(Math.abs(Number(text) - seconds)).toBeLessThan(0.6e-9 + seconds * 2 ** -52);
    }),
    { numRuns: 2_000 },
  );
});
