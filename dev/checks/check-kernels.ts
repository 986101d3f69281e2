// `npm run check:kernels`: builds the core for every kernel that is supported, records a few drivers on each, compares the traces
// with QEMU's log of the devices' accesses, and prints a table.
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { messageOf } from "../../src/base/errors.js";
import { countText } from "../../src/base/units.js";
import { buildCore } from "../../src/capture/emulate/core-build.js";
import { ExitCode } from "../../src/cli/shared/exit-code.js";
import { installTools } from "../../src/lab/debian.js";
import { type LabKernel, prepareKernel } from "../../src/lab/kernel-package.js";
import { kernelBuildTools, labTools } from "../../src/lab/needs.js";
import { prepareSourceKernel } from "../../src/lab/source-kernel.js";
import { plainKernel } from "../../src/lab/source-kernel-options.js";
import { caseNamed, type DriverCase } from "./driver-cases.js";
import { Measurement } from "./driver-measurement.js";
import { footnotes, type Row } from "./driver-table.js";
import { runCheck } from "./run-check.js";

/** The kernel that isn't configured as Debian's are. */
const plain = plainKernel.name;
/** The drivers that it doesn't have. */
const notInPlain = ["bochs"];

const series = ["5.10", "6.1", "6.12", "6.12-rt", "7.2", "7.3", "7.3-rt"];
const kernelNames = [...series.map((name) => `debian:${name}`), plain];
const driverNames = ["e1000", "nvme", "xhci_pci", "ahci", "bochs"];
const cpus = 2;

const usage = `usage: npm run check:kernels -- [--kernel KERNEL]... [--driver NAME]... [--keep DIR]
  --kernel KERNEL  only this kernel, as lab takes it, or ${plain}, which is built from Debian's source with few options,
                   without ${notInPlain.join(", ")}; may be repeated (default: ${kernelNames.join(", ")})
  --driver NAME    only this driver, as check:drivers has it; may be repeated (default: ${driverNames.join(", ")})
  --keep DIR       keep traces, logs and QEMU's truth there`;

const say = (line: string) => process.stderr.write(`${line}\n`);

const heads = ["kernel", "release", "built", "driver", "events", "truth", "lost", "escaped", "identical"];
const widths = [8, 24, 13, 10, 8, 8, 5, 7, 9];

const line = (cells: readonly string[]) => `| ${cells.map((cell, n) => cell.padEnd(widths[n]!)).join(" | ")} |\n`;

/** Returns the warnings in the log of the core's build: the compiler's, objtool's and modpost's. */
function warningsIn(core: string): string[] {
  const log = readFileSync(join(dirname(core), "build.log"), "utf8");
  return log.split("\n").filter((one) => /warning/i.test(one));
}

/** The cells of one kernel: its name, its release, and how the core was built. */
function rowCells(head: readonly string[], { driver, recorded }: Row): string[] {
  if (recorded.gone) return [...head, driver, "machine gone", "", "", "", "NO"];
  const counts = [recorded.events, recorded.truth, recorded.lost, recorded.escaped].map((count) => countText(count));
  return [...head, driver, ...counts, recorded.identical ? "yes" : "NO"];
}

const isGood = ({ recorded, messages }: Row) => recorded.identical && recorded.workload && messages.length === 0;

/** Measures one kernel and prints its rows. Returns true if all is well. */
async function checkKernel(name: string, cases: readonly DriverCase[], keep: string | undefined): Promise<boolean> {
  const kernelName = name.replace(/^debian:/, "");
  let kernel: LabKernel;
  let warnings: string[];
  try {
    kernel = await prepareKernel(name === plain ? await prepareSourceKernel(plainKernel, say) : name, say);
    warnings = warningsIn((await buildCore(kernel)).path);
  } catch (error) {
    process.stdout.write(line([kernelName, "", "NO", ...heads.slice(3).map(() => "")]));
    process.stdout.write(`    ! ${messageOf(error)}\n`);
    return false;
  }
  const head = [kernelName, kernel.release, `yes (${warnings.length})`];
  const there = cases.filter((one) => name !== plain || !notInPlain.includes(one.name));
  const rows = await new Measurement({ kernelName, kernel, cpus, engine: "emulate", mmiotrace: false, keep }).rows(
    there,
  );
  for (const row of rows) {
    process.stdout.write(line(rowCells(head, row)));
    if (!row.recorded.workload) process.stdout.write("    ! the workload failed\n");
    for (const note of footnotes(row)) process.stdout.write(`    ${note}\n`);
  }
  for (const warning of warnings) process.stdout.write(`    ! ${warning}\n`);
  return warnings.length === 0 && rows.every(isGood);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      kernel: { type: "string", multiple: true, default: kernelNames },
      driver: { type: "string", multiple: true, default: driverNames },
      keep: { type: "string" },
    },
  });
  const cases = values.driver.map(caseNamed);
  await installTools([...labTools, ...(values.kernel.includes(plain) ? kernelBuildTools : [])], say);
  process.stdout.write(line(heads));
  process.stdout.write(line(widths.map((width) => "-".repeat(width))));
  const keep = values.keep === undefined ? undefined : resolve(values.keep);
  let good = 0;
  for (const name of values.kernel) good += Number(await checkKernel(name, cases, keep));
  process.stdout.write(
    `${good} of ${values.kernel.length} kernels: built without warnings; all identical, workloads ok, no new kernel messages\n`,
  );
  if (good < values.kernel.length) process.exitCode = ExitCode.failed;
}

await runCheck("check:kernels", usage, main);
