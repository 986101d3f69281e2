// tier: quick
import { expect, test } from "vitest";
import { madeUpAddress, madeUpDevice } from "./made-up-addresses.js";
import { isVirtual } from "./virtual-range.js";

// 2^50 + device · 2^42 + region · 2^39 + offset
const first = 0x4_0000_0000_0000n;
const device = 0x400_0000_0000n;

test.each([
  [0n, undefined],
  [first - 1n, undefined],
  [first, 0],
  [first + device - 1n, 0],
  [first + device, 1],
  [first + 256n * device - 1n, 255],
  [first + 256n * device, undefined],
])("0x%x belongs to the made-up device %s", (address, number) => {
  expect(madeUpDevice(address)).toBe(number);
});

test("an address has the same place in another device", () => {
  const offset = 0x80_0000_0028n;
  expect(madeUpAddress(0, first + 5n * device + offset)).toBe(first + offset);
  expect(madeUpAddress(7, first + offset)).toBe(first + 7n * device + offset);
});

test("the kernel's addresses are those of the upper half", () => {
  expect([0n, 0x7fff_ffff_ffff_ffffn, 0x8000_0000_0000_0000n, 0xffff_ffff_ffff_ffffn].map(isVirtual)).toEqual([
    ...[false, false, true, true],
  ]);
});
