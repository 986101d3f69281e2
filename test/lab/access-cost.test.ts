// tier: all
// The cost of an access in instructions, which a machine can count: the same figure in every run, however busy the host is.
import { expect, test } from "vitest";
import { measureAccesses, medianCost } from "../../dev/bench/access-cost.js";

/** A read or a write by trap. It was 1,514 before sites were remembered and plain moves had a path of their own. */
const instructionsMax = 1_000;

/** The same by a rewritten driver. */
const rewrittenInstructionsMax = 250;

/** The same by its call of ioread32() or iowrite32(). */
const calledInstructionsMax = 300;

test("an access by trap takes at most 1,000 instructions and 1.6 times a fault that the kernel fixes by itself, one of a rewritten driver 250, by a call 300", async () => {
  const lines = await measureAccesses({ counted: true, loops: 5_000, rounds: 1 });
  const cost = (label: "bare" | "floor" | "strict" | "rewritten" | "calls" | "mmiotrace", way: "read" | "write") =>
    medianCost(lines, label, 1, (line) => line[way]);
  for (const way of ["read", "write"] as const) {
    // the machine really counts: a bare access is a few instructions, and mmiotrace's single step thousands
    expect(cost("bare", way)).toBeLessThan(20);
    expect(cost("mmiotrace", way)).toBeGreaterThan(2_500);
    expect(cost("strict", way)).toBeLessThanOrEqual(instructionsMax);
    expect(cost("rewritten", way)).toBeLessThanOrEqual(rewrittenInstructionsMax);
    expect(cost("calls", way)).toBeLessThanOrEqual(calledInstructionsMax);
    expect(cost("strict", way) / cost("floor", way)).toBeLessThanOrEqual(1.6);
  }
});
