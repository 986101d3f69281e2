// tier: quick
// SHB, SyncP and locksets on traces small enough to be judged by hand. Each line is an event; a racy one is marked by !.
import { describe, expect, test } from "vitest";
import { markedTrace, racesOf } from "../../../dev/test-support/race-traces.js";
import type { RaceAlgorithm } from "./find-races.js";

async function judge(algorithm: RaceAlgorithm, text: string): Promise<void> {
  const { trace, racy } = markedTrace(text);
  expect((await racesOf(trace, algorithm)).eventNumbers).toEqual(racy);
}

describe("schedulable happens-before", () => {
  test.each([
    ["two writes without order race", "T1 w(x)\nT2 w(x) !"],
    // the paper's reason to be: T2 may have read y only because it saw x
    ["a read puts the write that it read into the past", "T1 w(y)\nT1 w(x)\nT2 r(x) !\nT2 r(y)"],
    ["but not what the writer does afterwards", "T1 w(x)\nT1 w(y)\nT2 r(x) !\nT2 r(y) !"],
    ["nor another write", "T1 w(y)\nT1 w(x)\nT3 w(x) !\nT2 r(x) !\nT2 r(y) !"],
    ["reading one's own value orders nothing", "T1 w(y)\nT2 w(x)\nT2 r(x)\nT2 r(y) !"],
    ["locks, forks and joins order", "T1 acq(m)\nT1 w(x)\nT1 rel(m)\nT1 fork(T2)\nT2 w(x)\nT1 join(T2)\nT1 r(x)"],
    ["what a read has seen is passed on", "T1 w(y)\nT1 w(x)\nT2 r(x) !\nT2 w(z)\nT3 r(z) !\nT3 r(y)"],
    ["what a join has brought is passed on", "T2 w(y)\nT1 w(z)\nT1 join(T2)\nT1 w(f)\nT3 r(f) !\nT3 r(y)"],
    ["and what a fork has brought", "T2 w(z)\nT1 w(y)\nT1 fork(T2)\nT2 w(f)\nT3 r(f) !\nT3 r(y)"],
  ])("%s", (_what, text) => judge("shb", text));
});

/** T1 learns of T3's write of x before it releases m, and T2 learns of T1's write of f before it acquires m. */
const handBack = "T3 w(x)\nT3 w(g)\nT1 r(g) !\nT1 rel(m)\nT2 r(f) !\nT2 acq(m)\nT2 rel(m)";

describe("sync-preserving", () => {
  test.each([
    ["two writes without order race", "T1 w(x)\nT2 w(x) !"],
    ["T2's critical section might have come first", "T1 w(x)\nT1 acq(m)\nT1 rel(m)\nT2 acq(m)\nT2 rel(m)\nT2 w(x) !"],
    ["a common lock excludes", "T1 acq(m)\nT1 w(x)\nT1 rel(m)\nT2 acq(m)\nT2 w(x)\nT2 rel(m)"],
    // both need their section to have begun, and T1's must end before T2's begins
    ["sections keep their order", "T1 acq(m)\nT1 w(x)\nT1 rel(m)\nT2 acq(m)\nT2 rel(m)\nT2 w(x)"],
    ["the other way round nothing begins too early", "T1 w(x)\nT1 acq(m)\nT1 rel(m)\nT2 acq(m)\nT2 w(x) !\nT2 rel(m)"],
    ["a value read must stay", "T1 w(y)\nT1 acq(m)\nT1 w(x)\nT1 rel(m)\nT2 acq(m)\nT2 r(x)\nT2 rel(m)\nT2 r(y)"],
    ["and may come through a third thread", "T1 w(y)\nT1 w(f)\nT3 r(f) !\nT3 w(g)\nT2 r(g) !\nT2 w(y)"],
    // T3 read what T1 wrote in m's section: so T1's whole section comes first, as T3's acquire is needed, too
    [
      "a section that must have begun must have ended",
      "T1 acq(m)\nT1 w(f)\nT1 w(x)\nT1 rel(m)\nT2 r(f) !\nT2 acq(m)\nT2 rel(m)\nT2 w(x)",
    ],
    ["without its own section it races", "T1 acq(m)\nT1 w(f)\nT1 w(x)\nT1 rel(m)\nT2 r(f) !\nT2 w(x) !"],
    ["forks and joins stay", "T1 w(x)\nT1 fork(T2)\nT2 w(x)\nT1 join(T2)\nT1 w(x)"],
    // T2 has seen f, from before the inner acquire: T1's whole outer section must be over, with the g that came after T3's write
    [
      "a lock's outer section counts from its beginning",
      "T1 acq(m)\nT1 w(f)\nT1 acq(m)\nT1 rel(m)\nT3 w(x)\nT3 w(g)\nT1 r(g) !\nT1 rel(m)\nT2 r(f) !\nT2 acq(m)\nT2 rel(m)\nT2 w(x)",
    ],
    // T2's second read can't race with T1's write; T3's write, which comes before both, can
    [
      "an access before one that can't race may race",
      "T2 r(x)\nT2 fork(T1)\nT3 w(x) !\nT2 acq(m)\nT2 r(x) !\nT2 rel(m)\nT1 acq(m)\nT1 rel(m)\nT1 w(x) !",
    ],
    ["a thread that goes on after its join, as none does", "T0 r(x)\nT1 w(x) !\nT1 join(T0)\nT0 r(x) !\nT1 w(x) !"],
    [
      "a lock acquired twice is free after two releases",
      "T1 acq(m)\nT1 acq(m)\nT1 rel(m)\nT1 w(x)\nT1 rel(m)\nT2 acq(m)\nT2 w(x)\nT2 rel(m)",
    ],
    // each ends T2's past with T1's r(g), if T1's section that has w(f) must be over before T2's begins
    [
      "an outer section goes on after several inner ones",
      `T1 acq(m)\nT1 w(f)\n${"T1 acq(m)\nT1 rel(m)\n".repeat(2)}${handBack}\nT2 w(x)`,
    ],
    [
      "the outermost release ends the last section, too",
      `T1 acq(m)\nT1 acq(m)\nT1 w(f)\nT1 rel(m)\n${handBack}\nT2 w(x)`,
    ],
    [
      "but not the inner ones before it, as in RAPID",
      `T1 acq(m)\nT1 acq(m)\nT1 w(f)\nT1 rel(m)\nT1 acq(m)\nT1 rel(m)\n${handBack}\nT2 w(x) !`,
    ],
    [
      "a release too many before a section doesn't shorten it",
      `T1 rel(m)\nT1 acq(m)\nT1 w(f)\nT1 acq(m)\nT1 rel(m)\n${handBack}\nT2 w(x)`,
    ],
    // T1 has seen f, and its own section means that T2's is over: T3 learns that from g
    [
      "a section that must have ended is passed on",
      "T3 w(z)\nT2 acq(m)\nT2 w(f)\nT2 w(y)\nT2 rel(m)\nT1 r(f) !\nT1 w(z) !\nT1 acq(m)\nT1 w(g)\nT1 rel(m)\nT3 r(g) !\nT3 r(y)",
    ],
  ])("%s", (_what, text) => judge("syncp", text));

  test("more accesses than are kept, and long histories of a lock", async () => {
    const round = (thread: string) => `${thread} acq(m)\n${thread} r(x)\n${thread} w(x)\n${thread} rel(m)\n`;
    const locked = `${round("T1")}${round("T2")}${round("T1")}`.repeat(300);
    await judge("syncp", `T1 w(y)\n${locked}T2 acq(n)\nT2 w(x) !\nT2 rel(n)\nT1 r(x) !`);
  });
});

describe("locksets", () => {
  test.each([
    ["one thread needs no lock", "T1 w(x)\nT1 r(x)"],
    ["reads need none", "T1 r(x)\nT2 r(x)"],
    ["a common lock is enough", "T1 acq(m)\nT1 w(x)\nT1 rel(m)\nT2 acq(n)\nT2 acq(m)\nT2 w(x)\nT2 rel(m)\nT2 rel(n)"],
    ["different locks aren't", "T1 acq(m)\nT1 w(x)\nT1 rel(m)\nT2 acq(n)\nT2 w(x) !\nT2 rel(n)"],
    ["the set only shrinks", "T1 acq(m)\nT1 w(x)\nT1 rel(m)\nT2 w(x) !\nT2 acq(m)\nT2 w(x) !\nT2 rel(m)"],
    ["a write after reads by several needs one", "T1 r(x)\nT2 r(x)\nT2 w(x) !\nT1 r(x) !"],
    ["fork and join are no lock", "T1 w(x)\nT1 fork(T2)\nT2 w(x) !\nT1 join(T2)\nT1 r(x) !"],
    [
      "a lock acquired twice is held until the second release",
      "T1 acq(m)\nT1 acq(m)\nT1 rel(m)\nT1 w(x)\nT1 rel(m)\nT2 acq(m)\nT2 w(x)\nT2 rel(m)",
    ],
    [
      "a release of a lock that isn't held changes nothing",
      "T1 rel(m)\nT1 acq(m)\nT1 w(x)\nT1 rel(m)\nT2 acq(m)\nT2 w(x)",
    ],
    [
      "after a release too many the next section has no end, as in RAPID",
      "T1 acq(m)\nT1 rel(m)\nT1 rel(m)\nT1 acq(m)\nT1 rel(m)\nT1 w(x)\nT2 acq(m)\nT2 w(x)\nT2 rel(m)",
    ],
  ])("%s", (_what, text) => judge("lockset", text));
});

test("distinct pairs beyond the limit are counted, and the others folded all the same", async () => {
  const { pairsMax } = await import("./race-tally.js");
  const more = 10;
  const lines = ["T1|w(x)|0", ...Array.from({ length: pairsMax + more }, (_, at) => `T2|r(x)|${at}`), "T2|r(x)|1"];
  const { racyEvents, races, unfolded } = await racesOf(`${lines.join("\n")}\n`, "hb");
  expect([racyEvents, races.length, unfolded]).toEqual([pairsMax + more + 1, pairsMax, more]);
  expect(races[0]).toMatchObject({ later: { location: 1 }, count: 2, first: { event: 3 } });
  expect(races.at(-1)).toMatchObject({ later: { location: pairsMax - 1 }, count: 1, first: { event: pairsMax + 1 } });
});
