// tier: quick
import { expect, test } from "vitest";
import { madeUpHeader } from "../../../dev/test-support/made-up-records.js";
import type { PciFunction } from "../../trace/header.js";
import { barName } from "../../trace/header.js";
import { isNamed, namesOf } from "./device-names.js";

const nic: PciFunction = {
  ...madeUpHeader().pciFunctions[0]!,
  ...{ address: "0000:00:04.0", vendor: "0x8086", device: "0xe", driver: "e1000" },
};

test("a function's names are its address, its ids, its short address and its driver", () => {
  expect(namesOf(nic)).toEqual(["0000:00:04.0", "8086:000e", "00:04.0", "e1000"]);
  expect(namesOf({ ...nic, driver: null })).toEqual(["0000:00:04.0", "8086:000e", "00:04.0"]);
  // only the first segment's addresses may be shortened
  expect(namesOf({ ...nic, address: "0001:00:04.0" })).toEqual(["0001:00:04.0", "8086:000e", "e1000"]);
});

test("each of them names it, in any case, and nothing else does", () => {
  for (const name of ["0000:00:04.0", "8086:000E", "00:04.0", "E1000"]) expect(isNamed(nic, name), name).toBe(true);
  for (const name of ["", "e100", "0000:00:05.0", "8086", "null"]) expect(isNamed(nic, name), name).toBe(false);
  expect(isNamed({ ...nic, driver: "Upper" }, "upper")).toBe(true);
  expect(isNamed({ ...nic, driver: null }, "e1000")).toBe(false);
});

test("BARs have their number, the expansion ROM has its name", () => {
  expect([0, 5, 6, 7].map(barName)).toEqual(["BAR0", "BAR5", "ROM", "CONFIG"]);
});
