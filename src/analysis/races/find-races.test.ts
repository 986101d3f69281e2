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
import { raceAlgorithms } from "./find-races.js";

describe.each(raceAlgorithms)("%s", (algorithm) => {
  test("finds the racy events that RAPID finds in random traces", async () => {
    const traces = answeredTraces().filter(({ answers }) => answers[algorithm] !== undefined);
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
const known = { arraylist: { hb: 109 }, treeset: { hb: 100 } } as const;

describe.skipIf(whyNoRaces() !== undefined)("of programs' traces", () => {
  test.each(raceAlgorithms)("%s finds as many racy events as RAPID", async (algorithm) => {
    for (const name of ["arraylist", "treeset"] as const) {
      const { racyEvents } = await racesIn(join(racesDirectory, `${name}.std`), algorithm);
      expect([name, racyEvents]).toEqual([name, known[name][algorithm]]);
    }
  });

  test("happens-before doesn't see an injected race", async () => {
    const paths = missedByHb();
    expect(paths.length).toBeGreaterThan(10);
    for (const path of paths) {
      const { racyVariables } = await racesIn(path, "hb");
      expect([path, racyVariables.filter(({ name }) => name === "BUGGY_ADDR")]).toEqual([path, []]);
    }
  });
});
