// The cost of an access in the kernel, measured in one boot of the lab: bare, under the core, under the kernel's own mmiotrace,
// and the floor, a #GP that the kernel's own exception table fixes. In cycles, or counted in instructions. The register lies
// in an ivshmem BAR. kernel.ts prints it; a test holds it.
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/base/errors.js";
import { projectDirectory } from "../../src/base/paths.js";
import { buildCore, exportedVersion } from "../../src/capture/emulate/core-build.js";
import { installTools } from "../../src/lab/debian.js";
import { type LabKernel, prepareKernel } from "../../src/lab/kernel-package.js";
import { probeKvm } from "../../src/lab/kvm-probe.js";
import { makeModule } from "../../src/lab/make-module.js";
import { labTools } from "../../src/lab/needs.js";
import { runInLab } from "../../src/lab/virtual-machine.js";
import { accessCheck } from "../../src/rewrite/access-check.js";
import { coreEntry } from "../../src/rewrite/instrument-order.js";
import { rewriteModule } from "../../src/rewrite/rewrite-module.js";
import { workFolder } from "../checks/run-check.js";

export interface CostRequest {
  /**
   * Instructions instead of cycles: one CPU whose TSC counts instructions, one tick each, so that every run gives the same
   * figures, however busy the machine is.
   */
  counted: boolean;
  loops: number;
  rounds: number;
  /** Measurements in each round by each way; 1 by default. */
  repeats?: number;
}

/** The ways of catching an access, and two yardsticks; `calls`: by ioread32() and iowrite32(), which the rewritten module calls. */
export type CostLabel = "bare" | "floor" | "strict" | "relaxed" | "rewritten" | "calls" | "mmiotrace";

export interface CostLine {
  label: CostLabel;
  /** CPUs that access the device at once. */
  cpus: number;
  /** Cycles or instructions a read and a write. */
  read: number;
  write: number;
  tsc_khz: number;
}

/** The same module with checks in front of its accesses. */
const rewrittenFile = "rewritten.ko";

const isRewritten = (label: CostLabel) => label === "rewritten" || label === "calls";

/** The guest's shell script. Every insmod fails on purpose, having measured. */
function guestScript({ counted, loops, rounds, repeats = 1 }: CostRequest): string {
  const insmod = (label: CostLabel, more: string) =>
    `insmod /share/${isRewritten(label) ? rewrittenFile : "mms_bench.ko"} physical=$bar loops=${loops} label=${label} ${more} 2> /dev/null`;
  const repeated = (commands: string) => Array.from({ length: repeats }, () => commands).join("; ");
  const everyCpu = (label: CostLabel) =>
    repeated(counted ? insmod(label, "") : `${insmod(label, "")}; ${insmod(label, "all_cpus=1")}`);
  const recorded = (label: "strict" | "relaxed" | "rewritten", commands = everyCpu(label)) =>
    `mmiostrider record ${label === "relaxed" ? "--relaxed" : ""} --range $bar-$last --ring-size 64M -o /tmp/${label}.mmt -- \\
  sh -c "${commands}; true"`;
  return `
device=$(grep -l 0x1110 /sys/bus/pci/devices/*/device | head -1 | xargs dirname)
bar=$(sed -n 3p $device/resource | cut -d' ' -f1)
last=$(printf '0x%x' $((bar + 4095)))
echo 1 > $device/enable
for round in $(seq ${rounds}); do
  ${everyCpu("bare")}
  ${repeated(insmod("floor", "floor=1"))}
  ${recorded("strict")}
  ${recorded("relaxed")}
  ${recorded("rewritten", `${everyCpu("rewritten")}; ${insmod("calls", "called=1")}`)}
  echo 100000 > /sys/kernel/tracing/buffer_size_kb
  echo mmiotrace > /sys/kernel/tracing/current_tracer
  ${repeated(insmod("mmiotrace", ""))}
  echo nop > /sys/kernel/tracing/current_tracer
  echo 1 > /sys/devices/system/cpu/cpu1/online 2> /dev/null
done
dmesg | grep 'mms_bench: '
`;
}

/** Boots and measures. Throws UserError, with the machine's words, when it fails. */
export async function measureAccesses(request: CostRequest, kernelName = "debian:6.1"): Promise<CostLine[]> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  await installTools(labTools, say);
  const kernel = await prepareKernel(kernelName, say);
  const core = await buildCore(kernel);
  const work = workFolder("bench");
  try {
    await buildModule(work, kernel);
    const instrumentation = accessCheck({ crc: exportedVersion(core.path, coreEntry) });
    const module = readFileSync(join(work, "mms_bench.ko"));
    writeFileSync(join(work, rewrittenFile), rewriteModule("mms_bench.ko", module, instrumentation).bytes);
    writeFileSync(join(work, "bench.sh"), guestScript(request));
    let output = "";
    const result = await runInLab({
      kernel,
      cpus: request.counted ? 1 : 2,
      threads: request.counted ? "single" : "multi",
      memory_MB: 2048,
      kvm: !request.counted && (await probeKvm(kernel.imagePath)).works,
      qemuArguments: [
        ...["-object", "memory-backend-ram,size=1M,id=bar", "-device", "ivshmem-plain,memdev=bar"],
        ...(request.counted ? ["-icount", "shift=0,sleep=off"] : []),
      ],
      shareDirectory: work,
      command: "sh /share/bench.sh",
      timeout_s: 900,
      onOutput: (chunk) => {
        output += chunk.toString();
      },
    });
    const lines = parse(output);
    if (result.exitCode !== 0 || lines.length === 0) throw new UserError(`the benchmark's machine failed:\n${output}`);
    return lines;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function buildModule(work: string, kernel: LabKernel): Promise<void> {
  cpSync(join(projectDirectory, "dev/bench/kernel-module"), work, { recursive: true });
  const made = await makeModule(kernel, work);
  if (made.code !== 0) throw new UserError(`building the benchmark's module failed:\n${made.stderr}`);
}

function parse(output: string): CostLine[] {
  const pattern = /mms_bench: (\w+) cpus (\d+) cpu \d+ read (\d+) write (\d+) tsc_khz (\d+)/g;
  return [...output.matchAll(pattern)].map(([, label, cpus, read, write, tsc_khz]) => ({
    label: label as CostLabel,
    cpus: Number(cpus),
    read: Number(read),
    write: Number(write),
    tsc_khz: Number(tsc_khz),
  }));
}

type CostOf = (lines: readonly CostLine[], label: CostLabel, cpus: number, get: (line: CostLine) => number) => number;

/** The median of what `get` tells of the lines with this label and number of CPUs; NaN where there is none. */
export const medianCost: CostOf = (lines, label, cpus, get) => {
  const values = sortedCosts(lines, label, cpus, get);
  return values[values.length >> 1] ?? Number.NaN;
};

/** The least of them: on a busy host, what was measured while nobody else had the processors. */
export const leastCost: CostOf = (lines, label, cpus, get) => sortedCosts(lines, label, cpus, get)[0] ?? Number.NaN;

function sortedCosts(...[lines, label, cpus, get]: Parameters<CostOf>): number[] {
  return lines
    .filter((line) => line.label === label && line.cpus === cpus)
    .map(get)
    .sort((a, b) => a - b);
}
