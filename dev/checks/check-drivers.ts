// `npm run check:drivers`: records Debian's drivers at work in the lab, compares every trace with QEMU's log of the devices'
// accesses, and prints a table, with the kernel's own mmiotrace measured the same way beside it.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { buildCore } from "../../src/capture/emulate/core-build.js";
import { ExitCode, UsageError } from "../../src/cli/shared/exit-code.js";
import { wholeNumber } from "../../src/cli/shared/option-values.js";
import { installTools } from "../../src/lab/debian.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import { labTools } from "../../src/lab/needs.js";
import { caseNamed, type DriverCase, driverCases, leftOutDrivers } from "./driver-cases.js";
import type { RecordingEngine } from "./driver-guest.js";
import { Measurement } from "./driver-measurement.js";
import { rewriteOutside } from "./driver-rewriting.js";
import { footnotes, headLines, type Row, rowLine, type TableColumns } from "./driver-table.js";
import { runCheck } from "./run-check.js";

const perBootDefault = 4;

const usage = `usage: npm run check:drivers -- [--driver NAME]... [--kernel KERNEL]... [--cpus N]... [--engine ENGINE] [--no-mmiotrace] [--all]
  --driver NAME    only this driver; may be repeated (default: all that the table has)
  --kernel KERNEL  as lab takes it: debian:6.1, debian:6.12, …; may be repeated (default: those two)
  --cpus N         CPUs of the machine; may be repeated (default: 2 and 4)
  --engine ENGINE  the engine that records: emulate (default), or instrument, with a column more and without those that it refuses
  --no-mmiotrace   leave out the run under the kernel's own mmiotrace, which is made with the first number of CPUs
  --all            all drivers at once, recorded by one recorder, and nothing else
  --per-boot N     drivers that one machine has (default ${perBootDefault})
  --keep DIR       keep traces, logs and QEMU's truth of what isn't identical there
  --list           print the drivers' names`;

interface Options {
  cases: DriverCase[];
  kernels: string[];
  cpus: number[];
  engine: RecordingEngine;
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
      engine: { type: "string", default: "emulate" },
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
  const engine = recordingEngine(values.engine);
  const rewriting = engine === "instrument";
  if (rewriting && values.all) throw new UsageError("--all records all devices: engine instrument can't");
  const fitting = driverCases.filter(({ notRewritten }) => !rewriting || notRewritten === undefined);
  const names = values.driver ?? fitting.map(({ name }) => name);
  return {
    engine,
    cases: names.map(caseNamed),
    kernels: values.kernel,
    cpus: values.cpus.map((text) => wholeNumber("--cpus", text, 1)),
    mmiotrace: values.mmiotrace,
    all: values.all,
    perBoot: wholeNumber("--per-boot", values["per-boot"], 1),
    keep: values.keep === undefined ? undefined : resolve(values.keep),
  };
}

function recordingEngine(name: string): RecordingEngine {
  if (name === "emulate" || name === "instrument") return name;
  throw new UsageError(`--engine ${name}: emulate or instrument`);
}

const say = (line: string) => process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const options = parseOptions();
  if (options === undefined) return;
  await installTools(labTools, say);
  const columns: TableColumns = {
    mmiotrace: options.mmiotrace && !options.all,
    withoutFault: options.engine === "instrument",
  };
  // the rows are one table: further notes go below
  for (const line of headLines(columns)) process.stdout.write(`${line}\n`);
  const rows: Row[] = [];
  const print = (row: Row) => {
    rows.push(row);
    process.stdout.write(`${rowLine(row, columns)}\n`);
    for (const note of footnotes(row)) say(`    ${note}`);
  };
  for (const kernelName of options.kernels) {
    const kernel = await prepareKernel(kernelName, say);
    await buildCore(kernel);
    if (options.engine === "instrument") await rewriteOutside(kernel, options.cases, say);
    for (const cpus of options.cpus) {
      const mmiotrace = options.mmiotrace && cpus === options.cpus[0];
      const { engine, keep } = options;
      const measurement = new Measurement({ kernelName, kernel, cpus, engine, mmiotrace, keep });
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
  if (options.engine === "instrument") {
    for (const { name, notRewritten } of driverCases) {
      if (notRewritten !== undefined) process.stdout.write(`left out: ${name}: ${notRewritten}\n`);
    }
  }
  for (const { name, why } of leftOutDrivers) process.stdout.write(`left out: ${name}: ${why}\n`);
  const good = rows.filter(
    ({ recorded, messages }) => recorded.identical && recorded.workload && messages.length === 0,
  );
  process.stdout.write(
    `${good.length} of ${rows.length} identical, with their workloads ok and no new kernel messages\n`,
  );
  if (good.length < rows.length) process.exitCode = ExitCode.failed;
}

await runCheck("check:drivers", usage, main);
