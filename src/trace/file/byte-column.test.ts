// tier: quick
// A block's numbers as docs/trace-format.md describes them, at every place where one takes a byte more.
import { describe, expect, test } from "vitest";
import { ByteColumn } from "./byte-column.js";

function bytesOf(write: (column: ByteColumn) => void): number[] {
  const column = new ByteColumn(32);
  write(column);
  expect(column.used.length).toBe(column.length);
  return [...column.used];
}

describe("a varint", () => {
  test.each<[number, number[]]>([
    [0, [0]],
    [1, [1]],
    [127, [127]],
    [128, [128, 1]],
    [16_383, [255, 127]],
    [16_384, [128, 128, 1]],
    [2 ** 28 - 1, [255, 255, 255, 127]],
    [2 ** 28, [128, 128, 128, 128, 1]],
    [2 ** 31, [128, 128, 128, 128, 8]],
    [2 ** 32 - 1, [255, 255, 255, 255, 15]],
    [2 ** 32, [128, 128, 128, 128, 16]],
    [2 ** 32 + 1, [129, 128, 128, 128, 16]],
    [2 ** 35, [128, 128, 128, 128, 128, 1]],
    [2 ** 53 - 1, [255, 255, 255, 255, 255, 255, 255, 15]],
  ])("%i", (value, bytes) => {
    expect(bytesOf((column) => column.varint(value))).toEqual(bytes);
  });
});

describe("a zigzag", () => {
  test.each<[number, number[]]>([
    [0, [0]],
    [-1, [1]],
    [1, [2]],
    [-64, [127]],
    [64, [128, 1]],
    [-65, [129, 1]],
    [2 ** 52 - 1, [254, 255, 255, 255, 255, 255, 255, 15]],
    [-(2 ** 52) + 1, [253, 255, 255, 255, 255, 255, 255, 15]],
  ])("%i", (value, bytes) => {
    expect(bytesOf((column) => column.zigzag(value))).toEqual(bytes);
    expect(bytesOf((column) => column.zigzag64(BigInt(value)))).toEqual(bytes);
  });

  test("of 64 bits has up to ten bytes", () => {
    const nine = Array.from({ length: 9 }, () => 255);
    expect(bytesOf((column) => column.zigzag64(2n ** 63n - 1n))).toEqual([254, ...nine.slice(1), 1]);
    expect(bytesOf((column) => column.zigzag64(-(2n ** 63n)))).toEqual([...nine, 1]);
  });
});

test("numbers lie behind each other", () => {
  const bytes = bytesOf((column) => {
    column.varint(300);
    column.zigzag64(-2n);
    column.zigzag(2);
    column.varint(2 ** 32);
  });
  expect(bytes).toEqual([172, 2, 3, 4, 128, 128, 128, 128, 16]);
});
