// `mmiostrider demo`, the main job from end to end: records a stock driver in the lab and proves the record right.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { UserError } from "../base/errors.js";
import { projectDirectory } from "../base/paths.js";

const explanation = `
Boots a machine with two CPUs, records the stock e1000 driver from modprobe through link up and a ping to modprobe -r,
compares the trace with QEMU's own log of what the device received, and prints a part of it.

Example:
  mmiostrider demo --kernel debian:6.12 --output /tmp/demo`;

/** What happens to the driver while it is recorded. */
const workload = `set -e
modprobe e1000
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
for i in $(seq 50); do [ "$(cat /sys/class/net/eth0/carrier)" = 1 ] && break; sleep 0.2; done
ping -q -c 40 -i 0.1 10.0.2.2
modprobe -r e1000
`;

const reportLines = 24;

export function addDemo(program: Command): void {
  program
    .command("demo")
    .description("record a stock driver in the lab, verify the trace, print a part of it")
    .option("--kernel <kernel>", "the lab's kernel", "debian:6.1")
    .option("--output <dir>", "where the trace and QEMU's log go (default: demo/ in the checkout)")
    .addHelpText("after", explanation)
    .action(runDemo);
}

async function runDemo(options: { kernel: string; output?: string }): Promise<void> {
  const output = resolve(options.output ?? join(projectDirectory, "demo"));
  mkdirSync(output, { recursive: true });
  writeFileSync(join(output, "workload.sh"), workload);
  const trace = relative(process.cwd(), join(output, "e1000.mmt"));
  const truth = relative(process.cwd(), join(output, "truth.log"));

  await step([
    ...["lab", "--kernel", options.kernel, "--cpus", "2", "--share", relative(process.cwd(), output) || "."],
    ...["--truth", truth, "--qemu", "-netdev user,id=n0 -device e1000,netdev=n0", "--"],
    "mmiostrider record --driver e1000 -o /share/e1000.mmt -- sh /share/workload.sh",
  ]);
  await step(["verify", trace, "--truth", truth]);
  await step(["report", trace], reportLines);
  process.stdout.write(`\nThe trace: ${trace}\nQEMU's log: ${truth}\n`);
}

/** Runs a command of ours as a user would, showing it; only its first `lines` lines where that is given. */
async function step(parameters: string[], lines = Number.POSITIVE_INFINITY): Promise<void> {
  const shown = parameters.map((word) => (/^[\w./:=@+-]+$/.test(word) ? word : `'${word}'`)).join(" ");
  process.stdout.write(`\n$ npx mmiostrider ${shown}${Number.isFinite(lines) ? ` | head -${lines}` : ""}\n`);
  const child = spawn(process.execPath, [join(projectDirectory, "bin/mmiostrider.js"), ...parameters], {
    stdio: ["ignore", Number.isFinite(lines) ? "pipe" : "inherit", "inherit"],
  });
  let left = lines;
  let rest = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    const complete = (rest + chunk.toString()).split("\n");
    rest = complete.pop() ?? "";
    for (const line of complete.slice(0, Math.max(0, left))) process.stdout.write(`${line}\n`);
    left -= complete.length;
    if (left <= 0) child.stdout?.destroy();
  });
  const code = await new Promise<number>((done) => child.on("close", (status) => done(status ?? 1)));
  // a report that is cut short by us ends as any program whose reader went away
  if (code !== 0 && left > 0) throw new UserError(`\`mmiostrider ${parameters[0]}\` failed with exit code ${code}`);
}
