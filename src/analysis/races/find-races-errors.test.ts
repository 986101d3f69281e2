// tier: quick
// Traces that can't be searched: too many threads, another trace at the second reading.
import { expect, test } from "vitest";
import { UserError } from "../../base/errors.js";
import { ClockRows, threadsMax } from "./clock-rows.js";
import { findRaces, raceAlgorithms } from "./find-races.js";

test("more threads than clocks can have are refused", () => {
  const rows = new ClockRows();
  rows.widen(100);
  rows.widen(threadsMax);
  expect(rows.threads).toBe(16_384);
  expect(() => rows.widen(threadsMax + 1)).toThrow(
    new UserError("the trace has more than 16384 threads, too many for their clocks"),
  );
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

test("a table that can't be made is an error of the user's", async () => {
  const cause = new RangeError("Array buffer allocation failed");
  function* failing(): Generator<Uint8Array> {
    yield new TextEncoder().encode("T1|w(x)|1\n");
    throw cause;
  }
  for (const algorithm of raceAlgorithms) {
    const error: unknown = await findRaces(failing, { algorithm, file: "trace.std" }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(UserError);
    expect(error).toMatchObject({
      message: "the threads, locks and variables of trace.std need more memory than there is",
      cause,
    });
  }
});
