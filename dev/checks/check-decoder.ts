// `npm run check:decoder`: compares the core's decoder with iced-x86 on made-up strings and on whole kernels.
import { writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { Code } from "iced-x86";
import { countText } from "../../src/base/units.js";
import { ExitCode } from "../../src/cli/shared/exit-code.js";
import { wholeNumber } from "../../src/cli/shared/option-values.js";
import { installTools } from "../../src/lab/debian.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import type { ComparisonJob, ComparisonOutcome } from "../core-proof/comparison-job.js";
import type { Mismatch } from "../core-proof/decoder-comparison.js";
import { kernelFiles } from "../core-proof/executable-code.js";
import { shrinkMismatch } from "../core-proof/shrink-mismatch.js";
import { runCheck } from "./run-check.js";

const usage = `usage: npm run check:decoder -- [--count N] [--seed S] [--kernels LIST] [--jobs N] [--forms FILE]
  --count N       made-up strings to compare (default 100000000)
  --seed S        where the strings come from (default: chosen, and printed)
  --kernels LIST  kernels whose every instruction is compared, modules too, separated by commas: debian:6.1,
                  debian:6.12, their flavours (debian:6.1-rt), host, a folder with boot/vmlinuz-* and lib/modules, or
                  none (default debian:6.1,debian:6.12)
  --jobs N        threads (default: as many as there are processors)
  --forms FILE    writes the forms with a memory operand that the kernels hold, most frequent first`;

const decoderTools = [
  { tool: "gcc", debianPackage: "gcc" },
  { tool: "xz", debianPackage: "xz-utils" },
] as const;

const stringsAJob = 1_000_000;
const filesAJob = 48;
const mismatchesShown = 10;

interface Options {
  count: number;
  seed: number;
  kernels: string[];
  jobs: number;
  forms: string | undefined;
}

function parseOptions(): Options {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "100000000" },
      seed: { type: "string", default: String(Date.now() % 2 ** 32) },
      kernels: { type: "string", default: "debian:6.1,debian:6.12" },
      jobs: { type: "string", default: String(availableParallelism()) },
      forms: { type: "string" },
    },
  });
  return {
    count: wholeNumber("--count", values.count, 0),
    seed: wholeNumber("--seed", values.seed, 0),
    jobs: wholeNumber("--jobs", values.jobs, 1),
    kernels: values.kernels === "none" ? [] : values.kernels.split(","),
    forms: values.forms,
  };
}

/** Adds up the findings of the jobs of one part. */
class Totals {
  compared = 0;
  valid = 0;
  readonly mismatches: Mismatch[] = [];
  readonly met = new Float64Array(8192);
  readonly metWithMemory = new Float64Array(8192);

  add(outcome: ComparisonOutcome): void {
    this.compared += outcome.compared;
    this.valid += outcome.valid;
    this.mismatches.push(...outcome.mismatches);
    outcome.met.forEach((count, code) => {
      this.met[code]! += count;
    });
    outcome.metWithMemory.forEach((count, code) => {
      this.metWithMemory[code]! += count;
    });
  }
}

/** Runs all jobs on some threads. Stops early when there are enough mismatches to show. */
async function runJobs(jobs: ComparisonJob[], threads: number, what: string): Promise<Totals> {
  const totals = new Totals();
  const waiting = jobs.slice();
  let done = 0;
  const work = async () => {
    const worker = new Worker(new URL("../core-proof/comparison-job.js", import.meta.url));
    try {
      for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
        totals.add(await runOn(worker, job));
        progress(what, ++done, jobs.length);
        if (totals.mismatches.length >= mismatchesShown) waiting.length = 0;
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: Math.min(threads, jobs.length) }, work));
  return totals;
}

function runOn(worker: Worker, job: ComparisonJob): Promise<ComparisonOutcome> {
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (outcome: ComparisonOutcome) => {
      worker.off("error", reject);
      resolve(outcome);
    });
    worker.postMessage(job);
  });
}

function progress(what: string, done: number, total: number): void {
  if (process.stderr.isTTY)
    process.stderr.write(`\r${what}: ${Math.floor((100 * done) / total)} %${done === total ? "\n" : ""}`);
}

function report(what: string, totals: Totals): void {
  const forms = totals.met.filter((count) => count > 0).length;
  process.stdout.write(
    `${what}: ${countText(totals.compared)} compared, ${countText(totals.valid)} of them instructions, in ${countText(forms)} ` +
      `forms; ${countText(totals.mismatches.length)} mismatches\n`,
  );
  for (const found of totals.mismatches.slice(0, mismatchesShown)) {
    const { bytes, field, ours, iced } = shrinkMismatch(found);
    const hex = (string: Uint8Array) => Buffer.from(string).toString("hex");
    process.stdout.write(`  ${hex(bytes)}: ${field} is ${ours} here, ${iced} in iced (found in ${hex(found.bytes)})\n`);
  }
}

function writeForms(file: string, totals: Totals): void {
  const lines = [...totals.metWithMemory.entries()]
    .filter(([, count]) => count > 0)
    .sort((a, b) => b[1] - a[1])
    .map(([code, count]) => `${Code[code]}\t${count}\n`);
  writeFileSync(file, lines.join(""));
}

async function main(): Promise<void> {
  const options = parseOptions();
  await installTools(decoderTools, (line) => process.stderr.write(`${line}\n`));
  let mismatches = 0;
  const jobs: ComparisonJob[] = [];
  for (let first = 0; first < options.count; first += stringsAJob) {
    const count = Math.min(stringsAJob, options.count - first);
    jobs.push({ kind: "strings", seed: options.seed, stream: jobs.length, count });
  }
  if (jobs.length > 0) {
    const what = `made-up strings of seed ${options.seed}`;
    const totals = await runJobs(jobs, options.jobs, what);
    report(what, totals);
    mismatches += totals.mismatches.length;
  }
  const inKernels = new Totals();
  for (const kernel of options.kernels) {
    const { imagePath, modulesDirectory, release } = await prepareKernel(kernel, (line) =>
      process.stderr.write(`${line}\n`),
    );
    const files = kernelFiles(imagePath, join(modulesDirectory, release));
    const pieces: ComparisonJob[] = [{ kind: "files", files: files.slice(0, 1) }];
    for (let at = 1; at < files.length; at += filesAJob)
      pieces.push({ kind: "files", files: files.slice(at, at + filesAJob) });
    const totals = await runJobs(pieces, options.jobs, release);
    report(`kernel ${release}, ${countText(files.length)} files`, totals);
    mismatches += totals.mismatches.length;
    inKernels.add({
      ...totals,
      met: Uint32Array.from(totals.met),
      metWithMemory: Uint32Array.from(totals.metWithMemory),
    });
  }
  if (options.forms !== undefined) writeForms(options.forms, inKernels);
  process.stdout.write(`${mismatches} mismatches\n`);
  if (mismatches > 0) process.exitCode = ExitCode.failed;
}

await runCheck("check:decoder", usage, main);
