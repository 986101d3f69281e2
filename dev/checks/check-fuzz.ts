// `npm run check:fuzz`: runs the fuzzing targets under libFuzzer with address and undefined-behaviour sanitizers.
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { messageOf, UserError } from "../../src/base/errors.js";
import { countText } from "../../src/base/units.js";
import { ExitCode, UsageError } from "../../src/cli/shared/exit-code.js";
import { installTools } from "../../src/lab/debian.js";
import {
  buildFuzzTarget,
  clangPackages,
  type FuzzTarget,
  fuzzTargets,
  gatherCorpus,
  readCorpus,
  spreadCorpus,
  writeCorpus,
} from "../core-proof/fuzzing.js";
import { runCheck, workFolder } from "./run-check.js";

const usage = `usage: npm run check:fuzz -- [--minutes N] [--target NAME] [--keep]
  --minutes N    how long to look, in all (default 10)
  --target NAME  ${fuzzTargets.map((target) => target.name).join(", ")} (default: all, one after the other)
  --keep         puts the inputs that reached new code into the target's corpus in test/corpus/`;

/** Limit for one input: only a hang takes longer. */
const inputSecondsMax = 5;

/** Fuzzes one target. Returns true if nothing was found. */
function fuzz(target: FuzzTarget, seconds: number, keep: boolean): boolean {
  const directory = workFolder(`fuzz-${target.name}`);
  try {
    const program = buildFuzzTarget(target, "clang", "libfuzzer", directory);
    const corpus = join(directory, "corpus");
    spreadCorpus(readCorpus(target), corpus);
    const artifacts = join(directory, "found");
    mkdirSync(artifacts);
    const run = spawnSync(
      program,
      [
        `-max_total_time=${seconds}`,
        `-max_len=${target.inputBytesMax}`,
        `-timeout=${inputSecondsMax}`,
        `-artifact_prefix=${artifacts}/`,
        "-print_final_stats=1",
        "-verbosity=0",
        corpus,
      ],
      { encoding: "utf8", timeout: (seconds + 60) * 1000, maxBuffer: 1 << 26 },
    );
    if (run.error !== undefined) throw new UserError(`fuzzing ${target.name} stopped: ${messageOf(run.error)}`);
    const executed = /number_of_executed_units: (\d+)/.exec(run.stderr)?.[1] ?? "0";
    const found = readdirSync(artifacts);
    process.stdout.write(`${target.name}: ${countText(Number(executed))} inputs in ${seconds} s, `);
    process.stdout.write(`${found.length === 0 ? "nothing" : found.length} found\n`);
    for (const name of found) {
      process.stdout.write(`  ${name}: ${readFileSync(join(artifacts, name)).toString("hex")}\n`);
    }
    if (run.status !== 0) process.stdout.write(run.stderr);
    if (keep && run.status === 0) {
      const merged = join(directory, "merged");
      mkdirSync(merged);
      const merge = spawnSync(program, ["-merge=1", "-verbosity=0", merged, corpus], { encoding: "utf8" });
      if (merge.status !== 0) throw new UserError(`the corpus of ${target.name} could not be merged: ${merge.stderr}`);
      writeCorpus(target, gatherCorpus(merged));
    }
    return run.status === 0;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "10" },
      target: { type: "string" },
      keep: { type: "boolean", default: false },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 10_000)) throw new UsageError(`--minutes ${values.minutes} is no number of minutes`);
  const targets = fuzzTargets.filter((target) => values.target === undefined || target.name === values.target);
  if (targets.length === 0) throw new UsageError(`there is no fuzzing target ${values.target}`);
  await installTools(clangPackages, (line) => process.stderr.write(`${line}\n`));
  const seconds = Math.max(1, Math.round((minutes * 60) / targets.length));
  const clean = targets.map((target) => fuzz(target, seconds, values.keep)).every((result) => result);
  if (!clean) process.exitCode = ExitCode.failed;
}

await runCheck("check:fuzz", usage, main);
