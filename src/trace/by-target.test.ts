// tier: quick
import { expect, test } from "vitest";
import { ByTarget, blockTargets } from "./by-target.js";

test("a block's targets are remembered until another block's come or all are cleared", () => {
  const values = new ByTarget<string>();
  expect([values.get(0), values.get(-1)]).toEqual([undefined, undefined]);
  values.set(0, "first");
  values.set(blockTargets - 1, "last");
  expect([values.get(0), values.get(1), values.get(blockTargets - 1)]).toEqual(["first", undefined, "last"]);
  // asking for another block forgets nothing
  expect(values.get(blockTargets)).toBeUndefined();
  expect(values.get(0)).toBe("first");
  values.set(blockTargets, "second block");
  expect([values.get(blockTargets), values.get(0)]).toEqual(["second block", undefined]);
  values.clear();
  expect(values.get(blockTargets)).toBeUndefined();
});

test("an unknown target is never remembered", () => {
  const values = new ByTarget<string>();
  values.set(3, "known");
  values.set(-1, "unknown");
  expect([values.get(3), values.get(-1)]).toEqual(["known", undefined]);
});
