// `npm run check:rewrite`: rewrites all modules of whole kernels, and proves that nothing changed but what was put in.
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { countText } from "../../src/base/units.js";
import { ExitCode } from "../../src/cli/shared/exit-code.js";
import { wholeNumber } from "../../src/cli/shared/option-values.js";
import { installTools } from "../../src/lab/debian.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import { kernelFiles } from "../core-proof/executable-code.js";
import type { RewriteOutcome } from "../core-proof/rewrite-job.js";
import { runCheck } from "./run-check.js";

const usage = `usage: npm run check:rewrite -- [--kernels LIST] [--jobs N]
  --kernels LIST  kernels whose modules are rewritten, separated by commas: debian:6.1, host, a folder with
                  boot/vmlinuz-* and lib/modules (default debian:6.1,debian:6.12,debian:newest)
  --jobs N        threads (default: as many as there are processors)`;

const filesAJob = 24;
const mistakesShown = 20;
/** The share of a kernel's modules that must be rewritten. */
const rewrittenShareMin = 0.995;

/** Runs the jobs of one kernel on some threads, and adds their outcomes up. */
async function runJobs(files: readonly string[], threads: number): Promise<RewriteOutcome> {
  const total: RewriteOutcome = { proven: 0, refused: [], mistakes: [], places: 0, checks: 0, rewriting_ms: 0 };
  let next = 0;
  const work = async () => {
    const worker = new Worker(new URL("../core-proof/rewrite-job.js", import.meta.url));
    try {
      while (next < files.length) {
        const job = files.slice(next, next + filesAJob);
        next += filesAJob;
        const outcome = await runOn(worker, job);
        total.proven += outcome.proven;
        total.places += outcome.places;
        total.checks += outcome.checks;
        total.rewriting_ms += outcome.rewriting_ms;
        total.refused.push(...outcome.refused);
        total.mistakes.push(...outcome.mistakes);
      }
    } finally {
      await worker.terminate();
    }
  };
  await Promise.all(Array.from({ length: threads }, work));
  return total;
}

function runOn(worker: Worker, files: string[]): Promise<RewriteOutcome> {
  return new Promise((resolve, reject) => {
    worker.once("error", reject);
    worker.once("message", (outcome: RewriteOutcome) => {
      worker.off("error", reject);
      resolve(outcome);
    });
    worker.postMessage(files);
  });
}

/** Checks one kernel. Returns true if enough was rewritten, and all of that is right. */
async function checkKernel(kernel: string, threads: number): Promise<boolean> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  const { imagePath, modulesDirectory, release } = await prepareKernel(kernel, say);
  const [, ...modules] = kernelFiles(imagePath, join(modulesDirectory, release));
  const begin_ms = performance.now();
  const { proven, refused, mistakes, places, checks, rewriting_ms } = await runJobs(modules, threads);
  const share = (modules.length - refused.length) / modules.length;
  process.stdout.write(
    `kernel ${release}, ${countText(modules.length)} modules: ${countText(proven)} rewritten and proven, ${refused.length} refused ` +
      `(${(100 * share).toFixed(2)} % rewritten), ${mistakes.length} mistakes; ${countText(places)} operands moved, ${countText(checks)} checked; ` +
      `${Math.round((performance.now() - begin_ms) / 1000)} s, of which ${Math.round(rewriting_ms / 1000)} s in the rewriter ` +
      `(all threads); memory ${Math.round(process.resourceUsage().maxRSS / 1024)} MB\n`,
  );
  for (const line of [...refused.sort(), ...mistakes.slice(0, mistakesShown)]) process.stdout.write(`  ${line}\n`);
  return mistakes.length === 0 && share >= rewrittenShareMin;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kernels: { type: "string", default: "debian:6.1,debian:6.12,debian:newest" },
      jobs: { type: "string", default: String(availableParallelism()) },
    },
  });
  await installTools([{ tool: "xz", debianPackage: "xz-utils" }], (line) => process.stderr.write(`${line}\n`));
  for (const kernel of values.kernels.split(",")) {
    if (!(await checkKernel(kernel, wholeNumber("--jobs", values.jobs, 1)))) process.exitCode = ExitCode.failed;
  }
}

await runCheck("check:rewrite", usage, main);
