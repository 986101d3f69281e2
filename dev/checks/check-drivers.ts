// `npm run check:drivers`: records Debian's drivers at work in the lab, compares every trace with QEMU's log of the devices'
// accesses, and prints a table, with the kernel's own mmiotrace measured the same way beside it.
import { mkdirSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/base/errors.js";
import { buildCore } from "../../src/capture/emulate/core-build.js";
import { ExitCode, UsageError } from "../../src/cli/shared/exit-code.js";
import { wholeNumber } from "../../src/cli/shared/option-values.js";
import { installTools } from "../../src/lab/debian.js";
import { type LabKernel, prepareKernel } from "../../src/lab/kernel-package.js";
import { labTools } from "../../src/lab/needs.js";
import { type Boot, bootDrivers, filesOf, keepFiles, placeCases, theBoot } from "./driver-boot.js";
import { type DriverCase, driverCases, leftOutDrivers } from "./driver-cases.js";
import { machineScript, type PlacedCase, run_s, together_s, togetherScript } from "./driver-guest.js";
import { playedTimes } from "./driver-host.js";
import { type Judged, judgeEmulated, judgeMmiotraced, lastLine, newMessages } from "./driver-results.js";
import { footnotes, headLines, type Row, rowLine } from "./driver-table.js";
import { runCheck, workFolder } from "./run-check.js";

const perBootDefault = 4;

const usage = `usage: npm run check:drivers -- [--driver NAME]... [--kernel KERNEL]... [--cpus N]... [--no-mmiotrace] [--all]
  --driver NAME    only this driver; may be repeated (default: all that the table has)
  --kernel KERNEL  as lab takes it: debian:6.1, debian:6.12, …; may be repeated (default: those two)
  --cpus N         CPUs of the machine; may be repeated (default: 2 and 4)
  --no-mmiotrace   leave out the run under the kernel's own mmiotrace, which is made with the first number of CPUs
  --all            all drivers at once, recorded by one recorder, and nothing else
  --per-boot N     drivers that one machine has (default ${perBootDefault})
  --keep DIR       keep traces, logs and QEMU's truth of what isn't identical there
  --list           print the drivers' names`;

/** A machine may be silent for this long in addition to a run's limit: it boots, or writes a trace. */
const silence_s = 300;

interface Options {
  cases: DriverCase[];
  kernels: string[];
  cpus: number[];
  mmiotrace: boolean;
  all: boolean;
  perBoot: number;
  keep: string | undefined;
}

function parseOptions(): Options | undefined {
  const { values } = parseArgs({
    options: {
      driver: { type: "string", multiple: true },
      kernel: { type: "string", multiple: true, default: ["debian:6.1", "debian:6.12"] },
      cpus: { type: "string", multiple: true, default: ["2", "4"] },
      mmiotrace: { type: "boolean", default: true },
      all: { type: "boolean", default: false },
      "per-boot": { type: "string", default: String(perBootDefault) },
      keep: { type: "string" },
      list: { type: "boolean", default: false },
    },
    allowNegative: true,
  });
  if (values.list) {
    for (const { name } of driverCases) process.stdout.write(`${name}\n`);
    return undefined;
  }
  const names = values.driver ?? driverCases.map(({ name }) => name);
  return {
    cases: names.map(caseNamed),
    kernels: values.kernel,
    cpus: values.cpus.map((text) => wholeNumber("--cpus", text, 1)),
    mmiotrace: values.mmiotrace,
    all: values.all,
    perBoot: wholeNumber("--per-boot", values["per-boot"], 1),
    keep: values.keep === undefined ? undefined : resolve(values.keep),
  };
}

function caseNamed(name: string): DriverCase {
  const found = driverCases.find((one) => one.name === name);
  if (found !== undefined) return found;
  const leftOut = leftOutDrivers.find((one) => one.name.split(", ").includes(name));
  throw new UsageError(leftOut === undefined ? `--driver ${name}: there is no such case` : `${name}: ${leftOut.why}`, {
    advice: "--list prints the names",
  });
}

const say = (line: string) => process.stderr.write(`${line}\n`);

/** Returns true if the case was run, or the machine died of it. A machine that didn't boot, or ended, has no next turn. */
function hadTurn({ runs, died }: Boot, name: string, phase: string): boolean {
  if (died === undefined || died.during === theBoot) return true;
  return runs.has(`${name}.${phase}`) || died.during.split(" ").includes(name);
}

/** Measures the cases; its rows are in the cases' order. */
class Measurement {
  private readonly options: Options;
  private readonly kernelName: string;
  private readonly kernel: LabKernel;
  private readonly cpus: number;

  constructor(options: Options, kernelName: string, kernel: LabKernel, cpus: number) {
    this.options = options;
    this.kernelName = kernelName;
    this.kernel = kernel;
    this.cpus = cpus;
  }

  /** Measures the cases in one machine. If that dies, measures the rest in further ones. */
  async rows(cases: readonly DriverCase[]): Promise<Row[]> {
    const emulated = new Map<string, Row>();
    for (let left = [...cases]; left.length > 0; ) {
      const rows = await this.emulatedRows(left);
      for (const row of rows) emulated.set(row.driver, row);
      left = left.filter(({ name }) => !emulated.has(name));
    }
    if (this.options.mmiotrace && this.cpus === this.options.cpus[0]) {
      for (let left = [...cases]; left.length > 0; ) {
        const judged = await this.mmiotraceColumns(left);
        for (const [name, found] of judged) emulated.get(name)!.mmiotrace = found;
        left = left.filter(({ name }) => !judged.has(name));
      }
    }
    return cases.map(({ name }) => emulated.get(name)!);
  }

  /** Measures all cases at once, in one recording. */
  async together(cases: readonly DriverCase[]): Promise<Row> {
    return await this.inMachine(cases, togetherScript, together_s, 2, async (boot, placed) => {
      const row = await this.emulatedRow(boot, "together", boot.problems);
      row.driver = `all ${cases.length} at once`;
      for (const { driver } of placed) this.checkWave(boot, driver, row);
      return row;
    });
  }

  private emulatedRows(cases: readonly DriverCase[]): Promise<Row[]> {
    const script = (placed: readonly PlacedCase[]) => machineScript(placed, ["bare", "emulate"]);
    return this.inMachine(cases, script, run_s, 2 * cases.length, async (boot, placed) => {
      const rows: Row[] = [];
      for (const { driver, slot } of placed) {
        if (!hadTurn(boot, driver.name, "emulate")) continue;
        const problems = boot.problems.filter(({ where }) => where.replace(/^[a-z]+/, "") === String(slot));
        const row = await this.emulatedRow(boot, driver.name, problems);
        this.checkWave(boot, driver, row);
        rows.push(row);
      }
      return rows;
    });
  }

  private mmiotraceColumns(cases: readonly DriverCase[]): Promise<Map<string, Judged>> {
    const script = (placed: readonly PlacedCase[]) => machineScript(placed, ["mmiotrace"]);
    return this.inMachine(cases, script, run_s, cases.length, async (boot, placed) => {
      const found = new Map<string, Judged>();
      for (const one of placed) {
        if (hadTurn(boot, one.driver.name, "mmiotrace")) found.set(one.driver.name, await judgeMmiotraced(boot, one));
      }
      return found;
    });
  }

  private async emulatedRow(boot: Boot, name: string, problems: Boot["problems"]): Promise<Row> {
    const judged = await judgeEmulated(boot, name);
    const messages = newMessages(boot, name);
    const bare = boot.runs.get(`${name}.bare`);
    const reasons = [...judged.reasons, ...problems.map(({ what }) => what)];
    if (bare !== undefined && bare.exitCode !== 0) {
      reasons.push(`the workload ends with ${bare.exitCode} without recording: ${lastLine(bare.output)}`);
    }
    return {
      driver: name,
      kernel: this.kernelName.replace(/^debian:/, ""),
      cpus: this.cpus,
      emulate: { ...judged, reasons, workload: judged.workload && bare?.exitCode === 0 && problems.length === 0 },
      messages,
    };
  }

  /** Checks that the played sound came out, without recording and with it. */
  private checkWave(boot: Boot, driver: DriverCase, row: Row): void {
    if (driver.wave === undefined || boot.died !== undefined) return;
    let fault = "";
    try {
      const times = playedTimes(join(filesOf(join(boot.share, ".."), driver.name), driver.wave));
      if (times !== 2) fault = `what was played twice is ${times} times in QEMU's output`;
    } catch (error) {
      fault = messageOf(error);
    }
    if (fault === "") return;
    row.emulate.workload = false;
    row.emulate.reasons.push(fault);
  }

  private async inMachine<Result>(
    cases: readonly DriverCase[],
    script: (placed: readonly PlacedCase[]) => string,
    limit_s: number,
    runs: number,
    judge: (boot: Boot, placed: PlacedCase[]) => Promise<Result>,
  ): Promise<Result> {
    const work = workFolder("drivers");
    try {
      const placed = placeCases(cases);
      const { kernel, cpus } = this;
      const silent = { silence_s: silence_s + limit_s, timeout_s: (runs + 1) * (silence_s + limit_s) };
      const request = { kernel, cpus, cases: placed, script: script(placed), ...silent };
      const boot = await bootDrivers(work, request, say);
      const result = await judge(boot, placed);
      if (this.options.keep !== undefined) this.keep(work, boot, cases);
      return result;
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }

  private keep(work: string, boot: Boot, cases: readonly DriverCase[]): void {
    const name = `${this.kernel.release}-${this.cpus}-${cases[0]!.name}-${Date.now()}`;
    const to = join(this.options.keep!, name);
    mkdirSync(to, { recursive: true });
    const endings = [
      "mmt",
      "mmiotrace",
      ...[...boot.runs.keys()]
        .map((run) => run.replace(/^.*\./, ""))
        .flatMap((phase) => [`${phase}.out`, `${phase}.dmesg`]),
    ];
    const names = ["together", ...cases.map((one) => one.name)];
    keepFiles(
      boot.share,
      to,
      names.flatMap((one) => [...new Set(endings)].map((ending) => `${one}.${ending}`)),
    );
    keepFiles(
      boot.share,
      to,
      cases.map((one) => `${one.name}.part`),
    );
    keepFiles(work, to, ["truth.log", "console", ...cases.map((one) => `files/${one.name}/wave`)]);
  }
}

async function main(): Promise<void> {
  const options = parseOptions();
  if (options === undefined) return;
  await installTools(labTools, say);
  const withMmiotrace = options.mmiotrace && !options.all;
  // the rows are one table: further notes go below
  for (const line of headLines(withMmiotrace)) process.stdout.write(`${line}\n`);
  const rows: Row[] = [];
  const print = (row: Row) => {
    rows.push(row);
    process.stdout.write(`${rowLine(row, withMmiotrace)}\n`);
    for (const note of footnotes(row)) say(`    ${note}`);
  };
  for (const kernelName of options.kernels) {
    const kernel = await prepareKernel(kernelName, say);
    await buildCore(kernel);
    for (const cpus of options.cpus) {
      const measurement = new Measurement(options, kernelName, kernel, cpus);
      if (options.all) {
        print(await measurement.together(options.cases));
        continue;
      }
      for (let first = 0; first < options.cases.length; first += options.perBoot) {
        for (const row of await measurement.rows(options.cases.slice(first, first + options.perBoot))) print(row);
      }
    }
  }
  for (const row of rows) {
    for (const note of footnotes(row))
      process.stdout.write(`${row.driver}, ${row.kernel}, ${row.cpus} CPUs: ${note}\n`);
  }
  for (const { name, why } of leftOutDrivers) process.stdout.write(`left out: ${name}: ${why}\n`);
  const good = rows.filter(({ emulate, messages }) => emulate.identical && emulate.workload && messages.length === 0);
  process.stdout.write(
    `${good.length} of ${rows.length} identical, with their workloads ok and no new kernel messages\n`,
  );
  if (good.length < rows.length) process.exitCode = ExitCode.failed;
}

await runCheck("check:drivers", usage, main);
