// Cycles of an access in the kernel, in one lab boot: bare, under the core (strict and relaxed), under the kernel's own
// mmiotrace; on one CPU and on two at once (mmiotrace switches the second off). The register lies in an ivshmem BAR.

import { cpSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/base/errors.js";
import { projectDirectory } from "../../src/base/paths.js";
import { runTool } from "../../src/base/run-tool.js";
import { buildCore } from "../../src/capture/emulate/core-build.js";
import { installTools } from "../../src/lab/debian.js";
import { prepareKernel } from "../../src/lab/kernel-package.js";
import { probeKvm } from "../../src/lab/kvm-probe.js";
import { labTools } from "../../src/lab/needs.js";
import { runInLab } from "../../src/lab/virtual-machine.js";
import { workFolder } from "../checks/run-check.js";

const loops = 20_000;
const rounds = 3;

/** The guest's script. Every insmod measures, then fails on purpose. */
const script = `
device=$(grep -l 0x1110 /sys/bus/pci/devices/*/device | head -1 | xargs dirname)
bar=$(sed -n 3p $device/resource | cut -d' ' -f1)
echo 1 > $device/enable
bench() { insmod /share/mms_bench.ko physical=$bar loops=${loops} label=$1 all_cpus=$2 2>/dev/null; }
for round in $(seq ${rounds}); do
  bench bare 0; bench bare 1
  mmiostrider record --range $bar-$(printf '0x%x' $((bar + 4095))) --ring-size 64M -o /tmp/strict.mmt -- sh -c \
    "insmod /share/mms_bench.ko physical=$bar loops=${loops} label=strict all_cpus=0 2>/dev/null; \
     insmod /share/mms_bench.ko physical=$bar loops=${loops} label=strict all_cpus=1 2>/dev/null; true"
  mmiostrider record --relaxed --range $bar-$(printf '0x%x' $((bar + 4095))) --ring-size 64M -o /tmp/relaxed.mmt -- sh -c \
    "insmod /share/mms_bench.ko physical=$bar loops=${loops} label=relaxed all_cpus=0 2>/dev/null; \
     insmod /share/mms_bench.ko physical=$bar loops=${loops} label=relaxed all_cpus=1 2>/dev/null; true"
  echo 100000 > /sys/kernel/tracing/buffer_size_kb
  echo mmiotrace > /sys/kernel/tracing/current_tracer
  bench mmiotrace 0
  echo nop > /sys/kernel/tracing/current_tracer
  echo 1 > /sys/devices/system/cpu/cpu1/online 2>/dev/null
done
dmesg | grep 'mms_bench: '
`;

interface Line {
  label: string;
  cpus: number;
  read: number;
  write: number;
  tsc_khz: number;
}

export async function run(): Promise<void> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  await installTools(labTools, say);
  const kernel = await prepareKernel("debian:6.1", say);
  const headers = kernel.headersDirectory!;
  await buildCore({ release: kernel.release, headersDirectory: headers });
  const work = workFolder("bench");
  try {
    await buildModule(work, headers);
    writeFileSync(join(work, "bench.sh"), script);
    let output = "";
    const result = await runInLab({
      kernel,
      cpus: 2,
      memory_MB: 2048,
      kvm: (await probeKvm(kernel.imagePath)).works,
      qemuArguments: ["-object", "memory-backend-ram,size=1M,id=bar", "-device", "ivshmem-plain,memdev=bar"],
      shareDirectory: work,
      command: "sh /share/bench.sh",
      timeout_s: 600,
      onOutput: (chunk) => {
        output += chunk.toString();
      },
    });
    const lines = parse(output);
    if (result.exitCode !== 0 || lines.length === 0) throw new UserError(`the benchmark's machine failed:\n${output}`);
    print(lines);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

async function buildModule(work: string, headers: string): Promise<void> {
  cpSync(join(projectDirectory, "dev/bench/kernel-module"), work, { recursive: true });
  const made = await runTool("make", ["-C", headers, `M=${work}`, "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"], {
    timeout_ms: 120_000,
  });
  if (made.code !== 0) throw new UserError(`building the benchmark's module failed:\n${made.stderr}`);
}

function parse(output: string): Line[] {
  const pattern = /mms_bench: (\w+) cpus (\d+) cpu \d+ read (\d+) write (\d+) tsc_khz (\d+)/g;
  return [...output.matchAll(pattern)].map(([, label, cpus, read, write, tsc_khz]) => ({
    label: label!,
    cpus: Number(cpus),
    read: Number(read),
    write: Number(write),
    tsc_khz: Number(tsc_khz),
  }));
}

function median(values: number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function print(lines: Line[]): void {
  const pick = (label: string, cpus: number) => lines.filter((line) => line.label === label && line.cpus === cpus);
  const yardstick = median(pick("mmiotrace", 1).map(({ read }) => read));
  process.stdout.write(
    `Cycles an access (median of ${rounds} rounds of ${loops} in one boot; each CPU has 64 bytes of its own)\n` +
      "  engine                   read     write   µs a read   mmiotrace takes\n",
  );
  for (const [label, cpus] of [
    ["bare", 1],
    ["bare", 2],
    ["strict", 1],
    ["strict", 2],
    ["relaxed", 1],
    ["relaxed", 2],
    ["mmiotrace", 1],
  ] as const) {
    const some = pick(label, cpus);
    if (some.length === 0) continue;
    const read = median(some.map((line) => line.read));
    const write = median(some.map((line) => line.write));
    const name = `${label === "bare" || label === "mmiotrace" ? label : `emulate ${label}`}, ${cpus} CPU${cpus > 1 ? "s" : ""}`;
    process.stdout.write(
      `  ${name.padEnd(22)} ${String(read).padStart(7)} ${String(write).padStart(9)} ` +
        `${((read * 1000) / some[0]!.tsc_khz).toFixed(3).padStart(11)}   ×${(yardstick / read).toFixed(1)}\n`,
    );
  }
}
