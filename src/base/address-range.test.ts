// tier: quick
// Joined ranges hold the same addresses in fewer ranges, both of bigints and of numbers.
import { expect, test } from "vitest";
import { type AddressRange, formatRange, joinRanges, rangesOverlap } from "./address-range.js";

const apart: AddressRange[] = [
  { first: 0x30n, last: 0x3fn },
  { first: 0x0n, last: 0xfn },
  { first: 0x10n, last: 0x1fn },
  { first: 0x35n, last: 0x50n },
  { first: 0x52n, last: 0x53n },
  { first: 0x36n, last: 0x37n },
];

test("joining keeps exactly the same addresses, in as few ranges as can be", () => {
  const joined = joinRanges(apart);
  const covers = (ranges: readonly AddressRange[], address: bigint) =>
    ranges.some((range) => range.first <= address && address <= range.last);
  for (let address = 0n; address < 0x60n; address += 1n) {
    expect(covers(joined, address)).toBe(covers(apart, address));
  }
  expect(joined.map(formatRange)).toEqual(["0x0-0x1f", "0x30-0x50", "0x52-0x53"]);
});

test("numbers are joined as bigints are, and the ranges that were given stay as they are", () => {
  const numbers = apart.map(({ first, last }) => ({ first: Number(first), last: Number(last) }));
  const before = structuredClone(numbers);
  expect(joinRanges(numbers)).toEqual([
    { first: 0, last: 0x1f },
    { first: 0x30, last: 0x50 },
    { first: 0x52, last: 0x53 },
  ]);
  expect(numbers).toEqual(before);
});

test("at the end of the physical address space one address still makes a difference", () => {
  const end = 2n ** 52n - 1n;
  const one = { first: end - 3n, last: end - 2n };
  expect(joinRanges([one, { first: end, last: end }])).toHaveLength(2);
  expect(joinRanges([one, { first: end - 1n, last: end }])).toEqual([{ first: end - 3n, last: end }]);
});

test("ranges overlap when they share an address, not when they only touch", () => {
  const range = { first: 0x10n, last: 0x1fn };
  expect(rangesOverlap(range, { first: 0x1fn, last: 0x2fn })).toBe(true);
  expect(rangesOverlap(range, { first: 0x20n, last: 0x2fn })).toBe(false);
  expect(rangesOverlap(range, { first: 0x14n, last: 0x14n })).toBe(true);
  expect(rangesOverlap(range, { first: 0x0n, last: 0xfn })).toBe(false);
});
