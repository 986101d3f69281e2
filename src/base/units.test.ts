import { expect, test } from "vitest";
import { bytesText, countText, durationText } from "./units.js";

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
  expect(countText(1_234_567n)).toBe("1,234,567");
});
