// Traces in RAPID's STD format that tests read: texts, RAPID's answers beside random traces, and traces of other people's making, which
// aren't part of the project.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { findRaces, type RaceAlgorithm, type RacesFound } from "../../src/analysis/races/find-races.js";
import { projectDirectory } from "../../src/base/paths.js";
import { testData } from "./test-data.js";

/** `$MMIOSTRIDER_RACES`, else `../shared/races` beside the checkout. */
export const racesDirectory = resolve(process.env.MMIOSTRIDER_RACES ?? join(projectDirectory, "..", "shared", "races"));

/** Returns the reason why tests with these traces can't run, else undefined. In CI such a reason is an error. */
export function whyNoRaces(): string | undefined {
  if (existsSync(join(racesDirectory, "arraylist.std"))) return undefined;
  const why = `no traces at ${racesDirectory}: set MMIOSTRIDER_RACES to a folder that has arraylist.std`;
  if (process.env.CI === "true") throw new Error(`in CI no test may be skipped, but: ${why}`);
  return why;
}

/** The paths of the traces with one injected race each, which happens-before can't find. */
export const missedByHb = (): string[] =>
  readdirSync(join(racesDirectory, "hb_missed")).map((name) => join(racesDirectory, "hb_missed", name));

/** Finds the races of a trace as text or bytes; adds the numbers of the racy events. */
export async function racesOf(
  trace: string | Uint8Array,
  algorithm: RaceAlgorithm,
): Promise<RacesFound & { eventNumbers: number[] }> {
  const eventNumbers: number[] = [];
  const bytes = typeof trace === "string" ? new TextEncoder().encode(trace) : trace;
  const onRacy = (event: number) => void eventNumbers.push(event);
  return { ...(await findRaces(() => [bytes], { algorithm, file: "trace.std", onRacy })), eventNumbers };
}

/** Finds the races of the trace at `path`. */
export const racesIn = (path: string, algorithm: RaceAlgorithm) => racesOf(readFileSync(path), algorithm);

/** A random trace, and RAPID's answer by algorithm: the numbers of racy events, or undefined where it ended with an exception. */
export interface AnsweredTrace {
  name: string;
  text: string;
  answers: Record<string, string | undefined>;
}

/** Reads test/data/rapid-races.txt. */
export function answeredTraces(): AnsweredTrace[] {
  const blocks = readFileSync(testData("rapid-races.txt"), "utf8").split("\n\n").slice(1);
  return blocks.map((block) => {
    const [name = "", ...lines] = block.trimEnd().split("\n");
    const answers: AnsweredTrace["answers"] = {};
    for (const line of lines) {
      const [, algorithm, answer] = /^(\w+): (.*)$/.exec(line) ?? [];
      if (algorithm !== undefined) answers[algorithm] = answer === "-" ? undefined : answer?.replace("none", "");
    }
    const text = lines.filter((line) => line.includes("|")).join("\n");
    return { name, text: `${text}\n`, answers };
  });
}

/** Makes a trace of lines such as `T1 w(x)`, whose locations are the lines' numbers; `racy` are the numbers of those that end in !. */
export function markedTrace(text: string): { trace: string; racy: number[] } {
  const words = text
    .trim()
    .split("\n")
    .map((line) => line.trim().split(/\s+/));
  const trace = words.map(([thread, operation], at) => `${thread}|${operation}|${at + 1}\n`).join("");
  return { trace, racy: words.flatMap(([, , mark], at) => (mark === "!" ? [at + 1] : [])) };
}
