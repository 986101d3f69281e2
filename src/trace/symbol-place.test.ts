// tier: quick
// Symbols of the kernel's and of modules' functions, and texts that are none.
import { expect, test } from "vitest";
import { symbolPlace } from "./symbol-place.js";

test("symbols in their parts", () => {
  expect(symbolPlace("ioread8+0x31/0x40")).toEqual({ name: "ioread8", offset: 0x31, module: undefined });
  expect(symbolPlace("nic.part.0+0x0/0x1c [nic_x-1]")).toEqual({ name: "nic.part.0", offset: 0, module: "nic_x-1" });
  expect(symbolPlace("0xffffffffc0001000")).toBeUndefined();
  expect(symbolPlace(undefined)).toBeUndefined();
});
