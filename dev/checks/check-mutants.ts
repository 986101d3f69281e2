// `npm run check:mutants`: changes single places of the sources (Stryker's mutants), and looks if the unit tests notice.
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { parseArgs } from "node:util";
import { projectDirectory } from "../../src/base/paths.js";
import { countOf, countText } from "../../src/base/units.js";
import { ExitCode, UsageError } from "../../src/cli/shared/exit-code.js";
import { wholeNumber } from "../../src/cli/shared/option-values.js";
import { seededRandom } from "../test-support/gpu-log.js";
import { logsDirectory } from "../test-support/real-logs.js";
import { rnndbDirectory } from "../test-support/rnndb.js";
import { runCheck, workFolder } from "./run-check.js";

const usage = `usage: npm run check:mutants -- [--minutes N] [--lines N] [--seed N] [FILE…]
  FILE…        sources to change (default: those of src/analysis, src/trace and src/registers, in random order, until time is over)
  --minutes N  begins no further file after so many minutes (default 20)
  --lines N    changes only N random lines of a file (default: all of each FILE, 25 of each file if none is given)
  --seed N     for the random choices (default: by the clock; it is printed)
Results are remembered in node_modules/.cache: mutants whose file and tests haven't changed aren't tried again.`;

const rooms = ["src/analysis", "src/trace", "src/registers"];
const linesByDefault = 25;
const killedWanted = 0.85;
const memory = join(projectDirectory, "node_modules/.cache/mmiostrider/mutants.json");

/** The facts about a mutant that Stryker gives and we use. */
interface Mutant {
  fileName: string;
  location: { start: { line: number; column: number } };
  mutatorName: string;
  replacement?: string;
  status: string;
}

type StrykerModule = {
  Stryker: new (options: Record<string, unknown>) => { runMutationTest(): Promise<Mutant[]> };
};
/** Loaded when it is needed; by a variable, so that the rest of dev/ can be compiled without it. */
const strykerPackage = "@stryker-mutator/core";

/** Tries the mutants of one file, or of some lines of it. */
async function tryMutants(file: string, lines: readonly number[] | undefined, folder: string): Promise<Mutant[]> {
  const mutate = lines === undefined ? [file] : lines.map((line) => `${file}:${line}-${line}`);
  const { Stryker } = (await import(strykerPackage)) as StrykerModule;
  const stryker = new Stryker({
    mutate,
    testRunner: "vitest",
    vitest: { configFile: "dev/checks/mutants.vitest.config.ts", related: true },
    tempDirName: folder,
    incremental: true,
    incrementalFile: memory,
    // Stryker would read tsconfig.json with TypeScript's old interface
    tsconfigFile: "none.json",
    ignorePatterns: ["dist", "docs/api", "demo"],
    reporters: [],
    logLevel: "error",
    concurrency: 2,
    timeoutMS: 30_000,
    allowEmpty: true,
  });
  const all = await stryker.runMutationTest();
  return all.filter((mutant) => resolve(mutant.fileName) === resolve(file) && isWithin(mutant, lines));
}

function isWithin({ location }: Mutant, lines: readonly number[] | undefined): boolean {
  return lines === undefined || lines.includes(location.start.line);
}

const noticed = new Set(["Killed", "Timeout"]);
const unnoticed = new Set(["Survived", "NoCoverage"]);

function print(file: string, mutants: readonly Mutant[]): void {
  const killed = mutants.filter(({ status }) => noticed.has(status)).length;
  const alive = mutants.filter(({ status }) => unnoticed.has(status));
  process.stdout.write(`${file}: ${countText(killed)} of ${countOf(killed + alive.length, "mutant")} killed\n`);
  for (const { location, mutatorName, replacement, status } of alive) {
    const { line, column } = location.start;
    const shown = (replacement ?? "").replaceAll(/\s+/g, " ").slice(0, 100);
    const untested = status === "NoCoverage" ? ", which no test runs" : "";
    process.stdout.write(`  ${file}:${line}:${column}: ${mutatorName}${untested}: ${shown}\n`);
  }
}

/** Returns up to `count` random lines of a file. */
function someLines(file: string, count: number, random: () => number): number[] {
  const all = readFileSync(join(projectDirectory, file), "utf8").split("\n");
  const code = all.flatMap((line, at) =>
    /^\s*(\/\/|\*|\/\*|import |export type|[})\]];?$|$)/.test(line) ? [] : [at + 1],
  );
  return shuffled(code, random).slice(0, count);
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const keyed = all.map((one) => ({ one, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ one }) => one);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { minutes: { type: "string" }, lines: { type: "string" }, seed: { type: "string" } },
    allowPositionals: true,
  });
  const minutes = wholeNumber("--minutes", values.minutes ?? "20", 1);
  const seed = wholeNumber("--seed", values.seed ?? `${Date.now() % 1_000_000}`, 0);
  const random = seededRandom(seed);
  const given = positionals.map((path) => relative(projectDirectory, resolve(path)));
  const outside = given.find((path) => !path.startsWith("src/") || path.endsWith(".test.ts"));
  if (outside !== undefined) throw new UsageError(`${outside} is no source in src/`);
  const sources = rooms
    .flatMap((room) => readdirSync(join(projectDirectory, room), { recursive: true }).map((name) => `${room}/${name}`))
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .sort();
  const files = given.length > 0 ? given : shuffled(sources, random);
  const linesMax = values.lines === undefined ? undefined : wholeNumber("--lines", values.lines, 1);
  const lines = linesMax ?? (given.length > 0 ? undefined : linesByDefault);
  process.chdir(projectDirectory);
  // the tests run in a copy of the project, beside which there is nothing
  process.env.MMIOSTRIDER_RNNDB = rnndbDirectory;
  process.env.MMIOSTRIDER_LOGS = logsDirectory;
  const folder = workFolder("mutants");
  mkdirSync(dirname(memory), { recursive: true });
  process.stdout.write(`seed ${seed}\n`);
  const end_ms = performance.now() + 60_000 * minutes;
  const counts = { killed: 0, alive: 0, files: 0 };
  for (const file of files) {
    if (performance.now() > end_ms) break;
    const mutants = await tryMutants(file, lines === undefined ? undefined : someLines(file, lines, random), folder);
    print(file, mutants);
    counts.files += 1;
    counts.killed += mutants.filter(({ status }) => noticed.has(status)).length;
    counts.alive += mutants.filter(({ status }) => unnoticed.has(status)).length;
  }
  const all = counts.killed + counts.alive;
  const share = all === 0 ? 1 : counts.killed / all;
  process.stdout.write(
    `${countText(counts.killed)} of ${countOf(all, "mutant")} killed, ${(100 * share).toFixed(1)} %, in ${counts.files} of ${countOf(files.length, "file")}\n`,
  );
  if (share < killedWanted) process.exitCode = ExitCode.failed;
}

await runCheck("check:mutants", usage, main);
