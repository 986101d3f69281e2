// tier: quick
// Lists of CPUs as sysfs has them: ranges, single ones, none.
import { expect, test } from "vitest";
import { parseCpuList } from "./cpu-list.js";

test("a list has each CPU of its ranges", () => {
  expect(parseCpuList("0-1,3\n")).toEqual([0, 1, 3]);
  expect(["0-1,3", "0", ""].map((list) => parseCpuList(list).length)).toEqual([3, 1, 0]);
});
