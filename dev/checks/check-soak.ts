// `npm run check:soak`: boots machine after machine, each with other drivers at random work, CPUs that come and go, recorders that
// are interrupted and killed; compares every trace with QEMU's log. A failed machine can be run again by its seed.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { verify } from "../../src/analysis/verify/verify.js";
import { messageOf } from "../../src/base/errors.js";
import { countText } from "../../src/base/units.js";
import { buildCore } from "../../src/capture/emulate/core-build.js";
import { ExitCode, UsageError } from "../../src/cli/shared/exit-code.js";
import { wholeNumber } from "../../src/cli/shared/option-values.js";
import { crashIn } from "../../src/lab/console-log.js";
import { installTools } from "../../src/lab/debian.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import { labTools } from "../../src/lab/needs.js";
import { type Threads, threadModes } from "../../src/lab/virtual-machine.js";
import { openTrace, withFileSource } from "../../src/trace/node/file-source.js";
import { type Boot, bootDrivers, keepFiles, placeCases } from "./driver-boot.js";
import { driverCases } from "./driver-cases.js";
import { lastLine } from "./driver-results.js";
import { runCheck, workFolder } from "./run-check.js";
import { sortComplaints } from "./soak-complaints.js";
import {
  lapBefore,
  planSoak,
  type SoakPlan,
  type SoakSession,
  soakDrivers,
  soakKernels,
  soakScript,
  soakTimeout_s,
} from "./soak-plan.js";

const usage = `usage: npm run check:soak -- [--minutes N] [--seed N] [--kernel KERNEL]... [--threads MODE] [--keep DIR]
  --minutes N      new machines are started for so long (default 30)
  --seed N         of the first machine; each further one has the next (default: from the clock)
  --kernel KERNEL  of the machines, as lab takes it; may be repeated (default: ${soakKernels.join(", ")})
  --threads MODE   multi (default) or single: lab --help tells why the machine may crash with multi
  --keep DIR       keep traces, messages and QEMU's log of what fails there`;

/** Exit code of a killed recorder. */
const killedCode = 128 + 9;

interface SessionResult {
  session: SoakSession;
  accesses: number;
  laps: number;
  /** The faults found, a sentence each. */
  faults: string[];
  /** The first lines of complaints that the kernel makes without a recording, too. */
  own: string[];
}

const say = (line: string) => process.stderr.write(`${line}\n`);

/** Returns a file of the machine, or "" if it has none. */
function textOf(boot: Pick<Boot, "share">, name: string): string {
  const path = join(boot.share, name);
  return existsSync(path) ? readFileSync(path, "latin1") : "";
}

/** Returns the failures that the machine has left under this name of a session, or of the lap before all. */
function failuresIn(boot: Boot, name: string): string[] {
  const files = readdirSync(boot.share).filter((one) => one.startsWith(`failed.${name}.`));
  return files.map((file) => `${file.slice("failed.".length)}: ${lastLine(textOf(boot, file))}`);
}

async function judge(boot: Boot, session: SoakSession): Promise<SessionResult> {
  const path = (ending: string) => join(boot.share, `${session.name}.${ending}`);
  const text = (ending: string) => textOf(boot, `${session.name}.${ending}`);
  const result: SessionResult = { session, accesses: 0, laps: 0, faults: [], own: [] };
  if (!existsSync(path("code"))) {
    result.faults.push("it did not come to its end");
    return result;
  }
  for (const [, laps] of text("laps").matchAll(/ (\d+)$/gm)) result.laps += Number(laps);
  const code = Number(text("code"));
  const wanted = session.end === "kill" ? [killedCode] : session.late ? [0, 3] : [0];
  if (!wanted.includes(code)) {
    result.faults.push(`the recorder ended with ${code}: ${text("out").trimEnd().split("\n").at(-1)}`);
  }
  result.faults.push(...failuresIn(boot, session.name));
  const complaints = sortComplaints(text("kernel"), textOf(boot, `${lapBefore}.kernel`));
  if (complaints.faults.length > 0) result.faults.push(`the kernel says: ${complaints.faults[0]!.split("\n")[0]}`);
  result.own.push(...complaints.own);
  try {
    const reader = await openTrace(path("mmt"));
    try {
      // on a busy host its time may end before a driver has mapped anything
      if (session.end === "duration" && reader.summary?.mappings === 0) return result;
      const compared = await withFileSource(boot.truthFile, (log) =>
        verify(reader, log, {
          cut: session.end === "kill",
          ...(session.late ? { leaveOutUnmapped: true } : {}),
        }),
      );
      // a killed recorder may not have written a single record yet
      if (session.end === "kill" && compared.compared === 0) return result;
      result.accesses = compared.compared;
      if (session.end !== "kill" && (reader.damage !== null || reader.summary === null)) {
        result.faults.push(`the trace has no end: ${reader.damage?.what ?? "its summary is missing"}`);
      }
      result.faults.push(...compared.reasons);
      for (const { kind, region, trace, truth } of compared.differences.slice(0, 3)) {
        result.faults.push(`${kind} in ${region}: trace ${JSON.stringify(trace)}, truth ${JSON.stringify(truth)}`);
      }
    } finally {
      await reader.close();
    }
  } catch (error) {
    result.faults.push(messageOf(error));
  }
  return result;
}

/** Returns the faults of the machine itself, a sentence each. */
function faultsOf({ died, consoleLog, problems, ...boot }: Boot): string[] {
  const before = textOf(boot, `${lapBefore}.kernel`);
  const report = died === undefined ? sortComplaints(consoleLog, before).faults[0] : crashIn(consoleLog);
  return [
    ...(died === undefined ? [] : [`the machine died: ${died.why}`]),
    ...(report === undefined ? [] : [`its console: ${report.split("\n").slice(0, 12).join(" | ")}`]),
    ...problems.map(({ what }) => what),
  ];
}

/** Runs one machine. Returns the results of its sessions. */
async function soak(plan: SoakPlan, threads: Threads, keep: string | undefined): Promise<SessionResult[]> {
  const work = workFolder("soak");
  try {
    const kernel = await prepareKernel(plan.kernel, say);
    await buildCore(kernel);
    const placed = placeCases(plan.drivers);
    const { cpus } = plan;
    const timeout_s = soakTimeout_s(plan);
    const script = soakScript(plan, placed);
    const boot = await bootDrivers(work, { kernel, cpus, threads, cases: placed, script, timeout_s }, () => {});
    const results: SessionResult[] = [];
    for (const session of plan.sessions) results.push(await judge(boot, session));
    results[0]!.faults.push(...failuresIn(boot, lapBefore), ...faultsOf(boot));
    if (keep !== undefined && results.some(({ faults }) => faults.length > 0)) {
      const to = join(keep, `seed-${plan.seed}`);
      mkdirSync(to, { recursive: true });
      keepFiles(
        boot.share,
        to,
        readdirSync(boot.share, { withFileTypes: true })
          .filter((one) => one.isFile())
          .map((one) => one.name),
      );
      keepFiles(work, to, ["truth.log", "console"]);
    }
    return results;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function rowOf({ session, accesses, laps, faults }: SessionResult): string {
  const what = [
    session.late ? "late" : "",
    session.relaxed ? "relaxed" : "",
    session.second ? "a second recorder" : "",
    session.end === "kill" ? "killed" : session.end === "interrupt" ? "Ctrl-C" : "by itself",
  ];
  const verdict = faults.length > 0 ? "FAULTY" : accesses === 0 ? "nothing was mapped meanwhile" : "identical";
  const words = what.filter((word) => word !== "").join(", ");
  return `  ${session.name}: ${countText(accesses)} accesses, ${laps} laps, ${words}: ${verdict}`;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: "30" },
      seed: { type: "string", default: String(Date.now() % 1_000_000) },
      kernel: { type: "string", multiple: true },
      threads: { type: "string", default: "multi" },
      keep: { type: "string" },
    },
  });
  const minutes = Number(values.minutes);
  if (!(minutes > 0 && minutes <= 10_000)) throw new UsageError(`--minutes ${values.minutes} is no number of minutes`);
  const threads = threadModes.find((mode) => mode === values.threads);
  if (threads === undefined)
    throw new UsageError(`--threads ${values.threads} is neither ${threadModes.join(" nor ")}`);
  const keep = values.keep === undefined ? undefined : resolve(values.keep);
  await installTools(labTools, say);
  const until_ms = Date.now() + minutes * 60_000;
  const totals = { machines: 0, sessions: 0, accesses: 0, laps: 0, faulty: 0, empty: 0 };
  for (let seed = wholeNumber("--seed", values.seed, 0); Date.now() < until_ms; seed += 1) {
    const plan = planSoak(seed, soakDrivers(driverCases), values.kernel);
    const drivers = plan.drivers.map(({ name }) => name).join(" ");
    process.stdout.write(`seed ${seed}: ${plan.kernel}, ${plan.cpus} CPUs: ${drivers}\n`);
    totals.machines += 1;
    const results = await soak(plan, threads, keep);
    for (const result of results) {
      process.stdout.write(`${rowOf(result)}\n`);
      for (const fault of result.faults) process.stdout.write(`      ${fault}\n`);
      totals.sessions += 1;
      totals.accesses += result.accesses;
      totals.laps += result.laps;
      if (result.faults.length > 0) totals.faulty += 1;
      else if (result.accesses === 0) totals.empty += 1;
    }
    for (const line of new Set(results.flatMap(({ own }) => own))) {
      process.stdout.write(`  not counted, the kernel says it without a recording, too: ${line}\n`);
    }
  }
  process.stdout.write(
    `${countText(totals.machines)} machines, ${countText(totals.sessions)} recordings, ${countText(totals.laps)} laps of drivers, ` +
      `${countText(totals.accesses)} accesses compared: ${countText(totals.faulty)} recordings faulty, ${countText(totals.empty)} empty\n`,
  );
  if (totals.faulty > 0) process.exitCode = ExitCode.failed;
}

await runCheck("check:soak", usage, main);
