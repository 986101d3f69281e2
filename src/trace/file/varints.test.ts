// tier: quick
// Numbers of a column as docs/trace-format.md has them, at their limits, and columns that end too soon.
import { expect, test } from "vitest";
import { Varints } from "./varints.js";

const column = (...bytes: number[]) => new Varints(Uint8Array.from(bytes), "x");

test("numbers of one byte and of more", () => {
  const numbers = column(0, 127, 0x80, 1, 0xff, 0x7f, 0xac, 0x02);
  expect([numbers.next(), numbers.next(), numbers.next(), numbers.next(), numbers.next()]).toEqual([
    ...[0, 127, 128, 16_383, 300],
  ]);
  numbers.end();
});

test("the greatest number is below 2^53", () => {
  const greatest = [...Array<number>(7).fill(0xff), 0x0f];
  expect(column(...greatest).next()).toBe(Number.MAX_SAFE_INTEGER);
  expect(() => column(...greatest.with(-1, 0x10)).next()).toThrow(/^column x holds too large a number$/);
});

test("a column ends too soon before a number and within it", () => {
  expect(() => column().next()).toThrow(/^column x ends too soon$/);
  expect(() => column(0x80).next()).toThrow(/^column x ends too soon$/);
  expect(() => column(0x80).zigzag64()).toThrow(/^column x holds a broken number$/);
});

test("a number that isn't below its limit", () => {
  expect(column(4).below(5)).toBe(4);
  expect(() => column(5).below(5)).toThrow(/^column x holds 5, which should be below 5$/);
});

test("signed numbers", () => {
  const numbers = column(0, 1, 2, 3, 0x80, 1, 0xff, 1);
  expect(Array.from({ length: 6 }, () => numbers.zigzag())).toEqual([0, -1, 1, -2, 64, -128]);
});

test("differences of 64-bit numbers", () => {
  expect([column(0), column(1), column(2), column(0x80, 1)].map((one) => one.zigzag64())).toEqual([0n, -1n, 1n, 64n]);
  // ten bytes hold 64 bits and more; an eleventh is none of a number
  const ten = Array<number>(9).fill(0xff);
  expect(column(...ten, 1).zigzag64()).toBe(-(1n << 63n));
  expect(() => column(...ten, 0x80, 0).zigzag64()).toThrow(/^column x holds a broken number$/);
});

test("bytes behind the last number are a fault", () => {
  const numbers = column(1, 2, 3);
  numbers.next();
  expect(() => numbers.end()).toThrow(/^column x has 2 bytes too many$/);
});
