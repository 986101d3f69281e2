// The measurement of drivers on one kernel: boots machines around the cases, and makes the table's rows.
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../src/base/errors.js";
import type { LabKernel } from "../../src/lab/kernel-package.js";
import { type Boot, bootDrivers, filesOf, keepFiles, placeCases, theBoot } from "./driver-boot.js";
import type { DriverCase } from "./driver-cases.js";
import {
  machineScript,
  type PlacedCase,
  type RecordingEngine,
  run_s,
  together_s,
  togetherScript,
  traceFile,
} from "./driver-guest.js";
import { playedTimes } from "./driver-host.js";
import { type Judged, judgeMmiotraced, judgeRecorded, lastLine, newMessages } from "./driver-results.js";
import type { Row } from "./driver-table.js";
import { workFolder } from "./run-check.js";

/** A machine may be silent for this long in addition to a run's limit: it boots, or writes a trace. */
export const silence_s = 300;

const say = (line: string) => process.stderr.write(`${line}\n`);

/** Returns true if the case was run, or the machine died of it. A machine that didn't boot, or ended, has no next turn. */
function hadTurn({ runs, died }: Boot, name: string, phase: string): boolean {
  if (died === undefined || died.during === theBoot) return true;
  return runs.has(`${name}.${phase}`) || died.during.split(" ").includes(name);
}

/** Returns what the host saw go wrong with a case's device. */
export function problemsOf({ problems }: Boot, slot: number): Boot["problems"] {
  return problems.filter(({ where }) => where.replace(/^[a-z]+/, "") === String(slot));
}

/** Returns the fault of a sound that was played in so many runs; "" if there is none, or the case has no sound. */
export function waveFault(boot: Boot, driver: DriverCase, runs: number): string {
  if (driver.wave === undefined || boot.died !== undefined) return "";
  try {
    const times = playedTimes(join(filesOf(join(boot.share, ".."), driver.name), driver.wave));
    return times === runs ? "" : `what was played in ${runs} runs is ${times} times in QEMU's output`;
  } catch (error) {
    return messageOf(error);
  }
}

/** Checks that the played sound came out, without recording and with it. */
function checkWave(boot: Boot, driver: DriverCase, row: Row): void {
  const fault = waveFault(boot, driver, 2);
  if (fault === "") return;
  row.recorded.workload = false;
  row.recorded.reasons.push(fault);
}

export interface MeasurementOptions {
  /** The kernel's name in the rows. */
  kernelName: string;
  kernel: LabKernel;
  cpus: number;
  /** The engine that records. */
  engine: RecordingEngine;
  /** The run under the kernel's own mmiotrace is made, too. */
  mmiotrace: boolean;
  /** A folder for traces, logs and QEMU's truth. */
  keep: string | undefined;
}

/** Measures the cases; its rows are in the cases' order. */
export class Measurement {
  private readonly options: MeasurementOptions;

  constructor(options: MeasurementOptions) {
    this.options = options;
  }

  /** Measures the cases in one machine. If that dies, measures the rest in further ones. */
  async rows(cases: readonly DriverCase[]): Promise<Row[]> {
    const recorded = new Map<string, Row>();
    for (let left = [...cases]; left.length > 0; ) {
      const rows = await this.recordedRows(left);
      for (const row of rows) recorded.set(row.driver, row);
      left = left.filter(({ name }) => !recorded.has(name));
    }
    if (this.options.mmiotrace) {
      for (let left = [...cases]; left.length > 0; ) {
        const judged = await this.mmiotraceColumns(left);
        for (const [name, found] of judged) recorded.get(name)!.mmiotrace = found;
        left = left.filter(({ name }) => !judged.has(name));
      }
    }
    return cases.map(({ name }) => recorded.get(name)!);
  }

  /** Measures all cases at once, in one recording. */
  async together(cases: readonly DriverCase[]): Promise<Row> {
    return await this.inMachine(cases, togetherScript, together_s, 2, async (boot, placed) => {
      const row = await this.recordedRow(boot, "together", "emulate", boot.problems);
      row.driver = `all ${cases.length} at once`;
      for (const { driver } of placed) checkWave(boot, driver, row);
      return row;
    });
  }

  private recordedRows(cases: readonly DriverCase[]): Promise<Row[]> {
    const { engine } = this.options;
    const script = (placed: readonly PlacedCase[]) => machineScript(placed, ["bare", engine]);
    return this.inMachine(cases, script, run_s, 2 * cases.length, async (boot, placed) => {
      const rows: Row[] = [];
      for (const { driver, slot } of placed) {
        if (!hadTurn(boot, driver.name, engine)) continue;
        const row = await this.recordedRow(boot, driver.name, engine, problemsOf(boot, slot));
        checkWave(boot, driver, row);
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

  private async recordedRow(
    boot: Boot,
    name: string,
    engine: RecordingEngine,
    problems: Boot["problems"],
  ): Promise<Row> {
    const judged = await judgeRecorded(boot, name, engine);
    const messages = newMessages(boot, name, engine);
    const bare = boot.runs.get(`${name}.bare`);
    const reasons = [...judged.reasons, ...problems.map(({ what }) => what)];
    if (bare !== undefined && bare.exitCode !== 0) {
      reasons.push(`the workload ends with ${bare.exitCode} without recording: ${lastLine(bare.output)}`);
    }
    return {
      driver: name,
      kernel: this.options.kernelName.replace(/^debian:/, ""),
      cpus: this.options.cpus,
      recorded: { ...judged, reasons, workload: judged.workload && bare?.exitCode === 0 && problems.length === 0 },
      messages,
    };
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
      const { kernel, cpus } = this.options;
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
    const name = `${this.options.kernel.release}-${this.options.cpus}-${cases[0]!.name}-${Date.now()}`;
    const to = join(this.options.keep!, name);
    mkdirSync(to, { recursive: true });
    const endings = [
      traceFile("", this.options.engine).slice(1),
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
