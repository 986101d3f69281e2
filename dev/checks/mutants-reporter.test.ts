// tier: quick
import { expect, test } from "vitest";
import { isAlive, isKilled, notLoaded, ranOutOfTime } from "./mutants-reporter.js";

const place = { fileName: "a.ts", location: { start: { line: 1, column: 1 } }, mutatorName: "BlockStatement" };

test.each([
  ["Killed", undefined, "killed"],
  ["Survived", undefined, "alive"],
  ["NoCoverage", undefined, "alive"],
  ["Timeout", "Hit limit reached (501/500)", "killed"],
  ["Timeout", undefined, "out of time"],
  ["RuntimeError", `Error: ${notLoaded} src/a.test.ts`, "killed"],
  ["RuntimeError", "the runner crashed", ""],
  ["CompileError", undefined, ""],
])("a mutant of Stryker's status %s (%s) counts as %s", (status, statusReason, counted) => {
  const mutant = { ...place, status, ...(statusReason === undefined ? {} : { statusReason }) };
  const found = [
    isKilled(mutant) ? "killed" : "",
    isAlive(mutant) ? "alive" : "",
    ranOutOfTime(mutant) ? "out of time" : "",
  ];
  expect(found.filter((one) => one !== "")).toEqual(counted === "" ? [] : [counted]);
});
