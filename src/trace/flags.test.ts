// tier: quick
import { expect, test } from "vitest";
import { contextOf, flagNames, flagNamesOf, flagsOf } from "./flags.js";
import { RecordFlag } from "./record.js";

test("flags and contexts have their names, and names make them again", () => {
  for (const context of ["task", "softirq", "hardirq", "nmi"] as const) {
    for (let bits = 0; bits < 2 ** flagNames.length; bits += 1) {
      const names = flagNames.filter((_, at) => (bits & (1 << at)) !== 0);
      const flags = flagsOf(context, names);
      expect([contextOf(flags), flagNamesOf(flags)]).toEqual([context, names]);
    }
  }
  expect(flagNamesOf(RecordFlag.more | RecordFlag.hardirq)).toEqual([]);
});

test("the innermost context counts", () => {
  const { softirq, hardirq, nmi } = RecordFlag;
  expect([softirq | hardirq, hardirq | nmi, softirq | nmi, softirq | hardirq | nmi].map(contextOf)).toEqual([
    "hardirq",
    "nmi",
    "nmi",
    "nmi",
  ]);
});

test("no names of a task are no flags", () => {
  expect(flagsOf("task", [])).toBe(0);
  expect(flagsOf("nmi", [])).toBe(RecordFlag.nmi);
  expect(flagsOf("task", ["locked", "user"])).toBe(RecordFlag.locked | RecordFlag.user);
});
