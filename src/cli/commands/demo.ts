// `mmiostrider demo`, the main job from end to end: records a stock driver in the lab and proves the record right.
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import type { Command } from "commander";
import { UserError } from "../../base/errors.js";
import { projectDirectory } from "../../base/paths.js";

const explanation = `
Boots a machine with two CPUs, records the stock e1000 driver from modprobe through link up and a ping to modprobe -r,
compares the trace with QEMU's own log of what the device received, and prints a part of it.

Example:
  mmiostrider demo --kernel debian:6.12 --output /tmp/demo`;

/** The driver's work while it is recorded. */
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
    .option("--output <dir>", "folder for the trace and QEMU's log", "demo")
    .addHelpText("after", explanation)
    .action(runDemo);
}

async function runDemo(options: { kernel: string; output: string }): Promise<void> {
  const output = resolve(options.output);
  mkdirSync(output, { recursive: true });
  writeFileSync(join(output, "workload.sh"), workload);
  const trace = relative(process.cwd(), join(output, "e1000.mmt"));
  const truth = relative(process.cwd(), join(output, "truth.log"));

  say(
    "A machine with two CPUs boots in QEMU (this takes a while) and records its network card's stock driver,\n" +
      "from loading through link up and pings to unloading. QEMU logs what the card receives.",
  );
  await step([
    ...["lab", "--kernel", options.kernel, "--cpus", "2", "--share", relative(process.cwd(), output) || "."],
    ...["--truth", truth, "--qemu", "-netdev user,id=n0 -device e1000,netdev=n0", "--"],
    "mmiostrider record --driver e1000 -o /share/e1000.mmt -- sh /share/workload.sh",
  ]);
  say("\nIs the trace what the card received, access by access?");
  await step(["verify", trace, "--truth", truth]);
  say("\nThe trace's beginning: when, which CPU, read or written, how many bytes, where, what, and by which code.");
  await step(["report", trace], reportLines);
  say(
    `\nThe trace: ${trace}\nQEMU's log: ${truth}\n` +
      `All of it: npx mmiostrider report ${trace}\nWhat else there is: npx mmiostrider --help`,
  );
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Runs a command of ours as a user would, and shows it; `lines` limits its output. */
async function step(parameters: string[], lines = Number.POSITIVE_INFINITY): Promise<void> {
  const shown = parameters.map((word) => (/^[\w./:=@+-]+$/.test(word) ? word : `'${word}'`)).join(" ");
  const width = process.stdout.columns ?? Number.POSITIVE_INFINITY;
  const cut = `${Number.isFinite(lines) ? ` | head -${lines}` : ""}${Number.isFinite(lines + width) ? ` | cut -c -${width}` : ""}`;
  say(`\n$ npx mmiostrider ${shown}${cut}`);
  const child = spawn(process.execPath, [join(projectDirectory, "bin/mmiostrider.js"), ...parameters], {
    stdio: ["ignore", Number.isFinite(lines) ? "pipe" : "inherit", "inherit"],
  });
  let left = lines;
  let rest = "";
  child.stdout?.on("data", (chunk: Buffer) => {
    const complete = (rest + chunk.toString()).split("\n");
    rest = complete.pop() ?? "";
    for (const line of complete.slice(0, Math.max(0, left))) say(line.slice(0, width));
    left -= complete.length;
    if (left <= 0) child.stdout?.destroy();
  });
  const code = await new Promise<number>((done) => child.on("close", (status) => done(status ?? 1)));
  // a report that we cut short ends like any program whose reader is gone
  if (code !== 0 && left > 0) throw new UserError(`\`mmiostrider ${parameters[0]}\` failed with exit code ${code}`);
}
