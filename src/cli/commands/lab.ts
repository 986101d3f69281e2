// `mmiostrider lab`: runs a command in a disposable machine.
import { writeFileSync } from "node:fs";
import { resolve } from "node:path";
import { type Command, Option } from "commander";
import { UserError } from "../../base/errors.js";
import { engines } from "../../capture/engines.js";
import { complaintIn } from "../../lab/console-log.js";
import { installTools } from "../../lab/debian.js";
import { type LabKernel, prepareKernel } from "../../lab/kernel-package.js";
import { probeKvm } from "../../lab/kvm-probe.js";
import { labTools } from "../../lab/needs.js";
import { splitWords } from "../../lab/split-words.js";
import { LabError, runInLab, type Threads, threadModes } from "../../lab/virtual-machine.js";
import type { ExitCode } from "../shared/exit-code.js";
import { collect, wholeNumber } from "../shared/option-values.js";

const examples = `
Examples:
  mmiostrider lab -- uname -a
  mmiostrider lab --kernel debian:6.12 --cpus 4 -- 'cat /proc/interrupts'
  mmiostrider lab --qemu '-netdev user,id=n0 -device e1000,netdev=n0' --truth truth.log --share out -- \\
    'mmiostrider record --driver e1000 -o /share/e1000.mmt -- modprobe e1000'

Kernels: debian:SERIES, which stands for the series' newest version in Debian's archive, as debian:5.10, debian:6.1, debian:6.12
or debian:7.3; debian:oldest, the oldest series supported, debian:stable, Debian 12's, and debian:newest; each with the suffix
-rt where it exists. Or host; or a folder that holds boot/vmlinuz-* and lib/modules/*.
Debian's are downloaded with apt, by package lists of their own, and unpacked into the cache, not installed. Where a kernel's
headers need another Debian's compiler, the core is built in a root of that Debian, made by debootstrap, also in the cache.
The machine's kernel needs 9p and overlay, which Debian's -cloud flavour doesn't have.

In the machine, / is the host's root: readable, and writable without any effect on the host; /share is DIR.
With --suspendable, / is in the machine's memory, and holds only busybox, Node, mmiostrider and the kernel's modules; /share is
copied from DIR at the start, and its new and changed files are copied back at the end. It takes 1 GB (--memory).
With a thread for each CPU, QEMU 7.2 in rare cases executes the old form of an instruction that another CPU has changed, and
the machine or a program crashes. Use --threads single for commands that patch running code, as tracers of all functions do, and
Node while engine instrument rewrites modules there.
The exit code is COMMAND's; 1 if the machine itself fails.`;

interface LabOptions {
  kernel: string;
  cpus: string;
  threads: Threads;
  memory: string;
  qemu: string[];
  append?: string;
  truth?: string;
  share?: string;
  console?: string;
  suspendable?: boolean;
  timeout: string;
}

export function addLab(program: Command): void {
  program
    .command("lab")
    .description("run a command in a disposable QEMU machine")
    .argument("<command...>", "the command to run there, with sh -c")
    .option("--kernel <kernel>", "the kernel to boot", "debian:6.1")
    .option("--cpus <n>", "number of the machine's CPUs", "2")
    .addOption(
      new Option("--threads <mode>", "a thread for each CPU, or a single one for all in turns")
        .choices(threadModes)
        .default("multi"),
    )
    .option("--memory <MB>", "the machine's memory", "2048")
    .option("--qemu <args>", "further arguments for QEMU, split at blanks outside quotes; repeatable", collect, [])
    .option("--append <words>", "further words for the kernel's command line")
    .option("--truth <file>", "keep QEMU's own log of the devices' accesses")
    .option("--share <dir>", "a folder that the machine may write to, as /share")
    .option("--suspendable", "a small root in the machine's own memory, so that it can suspend and resume")
    .option("--console <file>", "keep the output of the machine's kernel")
    .option("--timeout <seconds>", "time limit of the machine", "600")
    .passThroughOptions()
    .addHelpText("after", examples)
    .action(runLab);
}

async function runLab(words: string[], options: LabOptions): Promise<void> {
  const cpus = wholeNumber("--cpus", options.cpus, 1, 64);
  const memory_MB = wholeNumber("--memory", options.memory, 256, 65_536);
  const timeout_s = wholeNumber("--timeout", options.timeout, 1, 86_400);
  const say = (line: string) => process.stderr.write(`${line}\n`);

  await installTools(labTools, say);
  const kernel = await prepareKernel(options.kernel, say);
  await prepareEngines(kernel, say);
  const interrupted = new AbortController();
  const interrupt = () => interrupted.abort();
  process.once("SIGINT", interrupt);
  process.once("SIGTERM", interrupt);
  const keepConsole = (log: string) => {
    if (options.console !== undefined) writeFileSync(options.console, log);
  };
  const { works: kvm } = await probeKvm(kernel.imagePath);
  const result = await runInLab({
    kernel,
    cpus,
    threads: options.threads,
    memory_MB,
    kvm,
    qemuArguments: options.qemu.flatMap(splitWords),
    kernelParameters: options.append,
    truthFile: options.truth === undefined ? undefined : resolve(options.truth),
    shareDirectory: options.share === undefined ? undefined : resolve(options.share),
    suspendable: options.suspendable ?? false,
    command: words.join(" "),
    timeout_s,
    onOutput: (chunk) => process.stdout.write(chunk),
    signal: interrupted.signal,
  }).catch((error: unknown) => {
    if (error instanceof LabError) keepConsole(error.consoleLog);
    throw error;
  });
  keepConsole(result.consoleLog);
  const complaint = complaintIn(result.consoleLog);
  if (complaint !== undefined) say(`the machine's kernel complained:\n${complaint}`);
  process.exitCode = result.exitCode as ExitCode;
}

/** Prepares the engines here, where the compiler runs at full speed; the machine finds the result in the cache. */
async function prepareEngines(kernel: LabKernel, say: (line: string) => void): Promise<void> {
  const { release, headersDirectory, buildRoot } = kernel;
  if (headersDirectory === undefined) return;
  for (const engine of engines) {
    try {
      await engine.prepare({ release, headersDirectory, buildRoot }, say);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      // most commands don't need the engine, and record reports it itself
      say(`${error.message}\n  engine ${engine.name} can't record in this machine`);
    }
  }
}
