// tier: quick
// Each algorithm against RAPID's answers, event by event: on random traces, and on those of other people's programs.
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  answeredTraces,
  missedByHb,
  racesDirectory,
  racesIn,
  racesOf,
  whyNoRaces,
} from "../../../dev/test-support/race-traces.js";
import { type RaceAlgorithm, raceAlgorithms } from "./find-races.js";

describe.each(raceAlgorithms)("%s", (algorithm) => {
  test("finds the racy events that RAPID finds in random traces", async () => {
    // RAPID's syncp works with times that go back if a thread runs before its fork or after its join, which none does.
    const isFair = (name: string) => algorithm !== "syncp" || !name.endsWith("irregular");
    const traces = answeredTraces().filter(({ name, answers }) => answers[algorithm] !== undefined && isFair(name));
    expect(traces.length).toBeGreaterThan(100);
    let racy = 0;
    for (const { name, text, answers } of traces) {
      const { eventNumbers, racyEvents } = await racesOf(text, algorithm);
      expect(`${name}: ${eventNumbers.join(" ")}`).toBe(`${name}: ${answers[algorithm]}`);
      expect(racyEvents).toBe(eventNumbers.length);
      racy += racyEvents;
    }
    expect(racy).toBeGreaterThan(500);
  });
});

/** RAPID's numbers of racy events. */
const known = {
  arraylist: { hb: 109, shb: 40, syncp: 45, lockset: 289 },
  treeset: { hb: 100, shb: 36, syncp: 36, lockset: 243 },
} as const;

describe.skipIf(whyNoRaces() !== undefined)("of programs' traces", () => {
  test.each(raceAlgorithms)("%s finds as many racy events as RAPID", async (algorithm) => {
    for (const name of ["arraylist", "treeset"] as const) {
      const { racyEvents } = await racesIn(join(racesDirectory, `${name}.std`), algorithm);
      expect([name, racyEvents]).toEqual([name, known[name][algorithm]]);
    }
  });

  test("happens-before doesn't see an injected race, and locksets do", async () => {
    const paths = missedByHb();
    expect(paths.length).toBeGreaterThan(10);
    for (const path of paths) {
      const isFound = async (algorithm: RaceAlgorithm) =>
        (await racesIn(path, algorithm)).racyVariables.some(({ name }) => name === "BUGGY_ADDR");
      expect([path, await isFound("hb"), await isFound("shb"), await isFound("lockset")]).toEqual([
        path,
        false,
        false,
        true,
      ]);
    }
  });
});
