// tier: quick
// Traces that can't be searched: too many threads, another trace at the second reading.
import { expect, test } from "vitest";
import { UserError } from "../../base/errors.js";
import { ClockRows, threadsMax } from "./clock-rows.js";
import { findRaces } from "./find-races.js";

test("more threads than clocks can have are refused", () => {
  const rows = new ClockRows();
  rows.widen(100);
  expect(() => rows.widen(threadsMax + 1)).toThrow(UserError);
});

test.each([
  ["shorter", "T1|w(x)|1\nT2|w(x)|1\n", "T1|w(x)|1\n"],
  ["longer", "T1|w(x)|1\n", "T1|w(x)|1\nT1|w(x)|1\n"],
  ["with other names", "T1|w(x)|1\nT2|w(x)|1\n", "T1|w(x)|1\nT3|w(x)|1\n"],
])("a trace that is another one at the second reading is refused: %s", async (_how, first, second) => {
  const texts = [first, second];
  const open = () => [new TextEncoder().encode(texts.shift())];
  await expect(findRaces(open, { algorithm: "syncp", file: "trace.std" })).rejects.toThrow(
    "trace.std changed while it was read: syncp reads it twice",
  );
});
