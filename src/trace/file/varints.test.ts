// tier: quick
// Numbers of a column as docs/trace-format.md has them, at their limits, and columns that end too soon.
import { describe, expect, test } from "vitest";
import { Varints } from "./varints.js";

describe("a number in a column", () => {
  const of = (...bytes: number[]) => new Varints(Uint8Array.from(bytes), "word");
  const ones = (count: number) => Array.from({ length: count }, () => 255);

  test("is at most 2^53 - 1", () => {
    expect(of(...ones(7), 15).next()).toBe(2 ** 53 - 1);
    expect(() => of(...ones(7), 16).next()).toThrow("column word holds too large a number");
    expect([of(0).next(), of(127).next(), of(128, 1).next(), of(255, 127).next()]).toEqual([0, 127, 128, 16_383]);
    expect(of(0xac, 2).next()).toBe(300);
    for (const bytes of [[], [128], [128, 128]]) expect(() => of(...bytes).next()).toThrow("column word ends too soon");
  });

  test("is below its limit", () => {
    expect(of(5).below(6)).toBe(5);
    expect(() => of(6).below(6)).toThrow("column word holds 6, which should be below 6");
  });

  test("is positive or negative in turn", () => {
    expect([0, 1, 2, 3, 4].map((byte) => of(byte).zigzag())).toEqual([0, -1, 1, -2, 2]);
    expect([of(128, 1).zigzag(), of(255, 1).zigzag(), of(128, 1).zigzag64()]).toEqual([64, -128, 64n]);
    expect([0, 1, 2, 3, 4].map((byte) => of(byte).zigzag64())).toEqual([0n, -1n, 1n, -2n, 2n]);
    expect([of(...ones(9), 1).zigzag64(), of(254, ...ones(8), 1).zigzag64()]).toEqual([-(2n ** 63n), 2n ** 63n - 1n]);
    for (const bytes of [[], [128], [...ones(10), 0], [...ones(9), 128, 0]]) {
      expect(() => of(...bytes).zigzag64()).toThrow("column word holds a broken number");
    }
  });

  test("is the last one at the column's end", () => {
    const column = of(1, 2, 3);
    column.next();
    expect(() => column.end()).toThrow("column word has 2 bytes too many");
    column.next();
    column.next();
    column.end();
  });
});
