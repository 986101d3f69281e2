// `npm run check:mutants`: changes single places of the sources (Stryker's mutants), and looks if the unit tests notice.
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { projectDirectory } from "../../src/base/paths.js";
import { countOf, countText } from "../../src/base/units.js";
import { ExitCode, UsageError } from "../../src/cli/shared/exit-code.js";
import { wholeNumber } from "../../src/cli/shared/option-values.js";
import { seededRandom } from "../test-support/gpu-log.js";
import { logsDirectory } from "../test-support/real-logs.js";
import { rnndbDirectory } from "../test-support/rnndb.js";
import { isAlive, isKilled, type Mutant, ranOutOfTime } from "./mutants-reporter.js";
import { runCheck, workFolder } from "./run-check.js";

const usage = `usage: npm run check:mutants -- [--percent N] [--seed N] [--at-once N] [FILE…]
  FILE…        sources to change (default: all of src/analysis, src/trace and src/registers)
  --percent N  changes only so many of the lines of each file, chosen at random, and at least one
               (default: all of each FILE, 2 if none is given)
  --seed N     for the random choice (default: by the clock; it is printed)
  --at-once N  mutants tried at the same time (default 2)
Changes that reach over more than one line are tried only where all lines are. The unit tests run without those of random input
(*fuzz.test.ts): the share that all tests notice is greater, if anything. Results are remembered in
node_modules/.cache: mutants whose file and tests haven't changed aren't tried again.`;

const rooms = ["src/analysis", "src/trace", "src/registers"];
const percentByDefault = 2;
const killedWanted = 0.85;
const memory = join(projectDirectory, "node_modules/.cache/mmiostrider/mutants.json");
const reporter = fileURLToPath(new URL("mutants-reporter.js", import.meta.url));

type StrykerModule = {
  Stryker: new (options: Record<string, unknown>) => { runMutationTest(): Promise<Mutant[]> };
};
/** Loaded when it is needed; by a variable, so that the rest of dev/ can be compiled without it. */
const strykerPackage = "@stryker-mutator/core";

/** Tries the mutants of some lines (all, if undefined) of each file, all in one go: each go begins with a run of all tests. */
async function tryMutants(
  lines: ReadonlyMap<string, readonly number[] | undefined>,
  atOnce: number,
  folder: string,
): Promise<Mutant[]> {
  const { Stryker } = (await import(strykerPackage)) as StrykerModule;
  const stryker = new Stryker({
    mutate: [...lines].flatMap(([file, some]) => some?.map((line) => `${file}:${line}-${line}`) ?? [file]),
    testRunner: "vitest",
    vitest: { configFile: "dev/checks/mutants.vitest.config.ts", related: true },
    tempDirName: folder,
    incremental: true,
    incrementalFile: memory,
    // Stryker would read tsconfig.json with TypeScript's old interface
    tsconfigFile: "none.json",
    ignorePatterns: ["dist", "docs/api", "demo"],
    plugins: ["@stryker-mutator/*", reporter],
    reporters: ["survivors"],
    logLevel: "error",
    concurrency: atOnce,
    timeoutMS: 60_000,
    dryRunTimeoutMinutes: 60,
    allowEmpty: true,
  });
  const all = await stryker.runMutationTest();
  return all.filter((mutant) => {
    const file = relative(projectDirectory, resolve(mutant.fileName));
    return lines.has(file) && (lines.get(file)?.includes(mutant.location.start.line) ?? true);
  });
}

/** Prints each file's share. */
function print(files: Iterable<string>, mutants: readonly Mutant[]): void {
  for (const file of files) {
    const own = mutants.filter(({ fileName }) => resolve(fileName) === join(projectDirectory, file));
    const { killed, all } = share(own);
    if (all > 0) process.stdout.write(`${file}: ${countText(killed)} of ${countOf(all, "mutant")} killed\n`);
  }
}

function share(mutants: readonly Mutant[]): { killed: number; all: number } {
  const killed = mutants.filter(isKilled).length;
  return { killed, all: killed + mutants.filter(isAlive).length };
}

/** Returns so many percent of the lines of a file that hold code, and at least one. */
function someLines(file: string, percent: number, random: () => number): number[] {
  const all = readFileSync(join(projectDirectory, file), "utf8").split("\n");
  const code = all.flatMap((line, at) =>
    /^\s*(\/\/|\*|\/\*|import |export type|[})\]];?$|$)/.test(line) ? [] : [at + 1],
  );
  return shuffled(code, random).slice(0, Math.ceil((code.length * percent) / 100));
}

function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const keyed = all.map((one) => ({ one, key: random() }));
  return keyed.sort((a, b) => a.key - b.key).map(({ one }) => one);
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { percent: { type: "string" }, seed: { type: "string" }, "at-once": { type: "string" } },
    allowPositionals: true,
  });
  const seed = wholeNumber("--seed", values.seed ?? `${Date.now() % 1_000_000}`, 0);
  const atOnce = wholeNumber("--at-once", values["at-once"] ?? "2", 1);
  const random = seededRandom(seed);
  const given = positionals.map((path) => relative(projectDirectory, resolve(path)));
  const outside = given.find((path) => !path.startsWith("src/") || path.endsWith(".test.ts"));
  if (outside !== undefined) throw new UsageError(`${outside} is no source in src/`);
  const sources = rooms
    .flatMap((room) => readdirSync(join(projectDirectory, room), { recursive: true }).map((name) => `${room}/${name}`))
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .sort();
  const percentGiven = values.percent === undefined ? undefined : wholeNumber("--percent", values.percent, 1);
  const percent = percentGiven ?? (given.length > 0 ? undefined : percentByDefault);
  const lines = new Map(
    (given.length > 0 ? given : sources).map((file) => [
      file,
      percent === undefined ? undefined : someLines(file, percent, random),
    ]),
  );
  process.chdir(projectDirectory);
  // the tests run in a copy of the project, beside which there is nothing
  process.env.MMIOSTRIDER_RNNDB = rnndbDirectory;
  process.env.MMIOSTRIDER_LOGS = logsDirectory;
  const folder = workFolder("mutants");
  mkdirSync(dirname(memory), { recursive: true });
  process.stdout.write(`seed ${seed}\n`);
  const mutants = await tryMutants(lines, atOnce, folder);
  print(lines.keys(), mutants);
  const { killed, all } = share(mutants);
  const files = new Set(mutants.map(({ fileName }) => fileName)).size;
  const slow = mutants.filter(ranOutOfTime).length;
  const killedShare = all === 0 ? 1 : killed / all;
  process.stdout.write(
    `${countText(killed)} of ${countOf(all, "mutant")} killed, ${(100 * killedShare).toFixed(1)} %, in ${countOf(files, "file")}; besides them ${countText(slow)} ended by the limit of time alone\n`,
  );
  if (killedShare < killedWanted) process.exitCode = ExitCode.failed;
}

await runCheck("check:mutants", usage, main);
