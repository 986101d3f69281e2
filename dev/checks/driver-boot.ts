// One machine of `npm run check:drivers`: its devices and files, the boot, and the results of every run in it.
import type { ChildProcess } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { messageOf, UserError } from "../../src/base/errors.js";
import { projectDirectory } from "../../src/base/paths.js";
import { runTool } from "../../src/base/run-tool.js";
import type { LabKernel } from "../../src/lab/kernel-package.js";
import { splitWords } from "../../src/lab/split-words.js";
import { LabError, runInLab, type Threads } from "../../src/lab/virtual-machine.js";
import type { DriverCase } from "./driver-cases.js";
import { type PlacedCase, signalPrefix, workloadScript } from "./driver-guest.js";
import { DriverHost } from "./driver-host.js";
import { startTpm } from "./swtpm.js";

/** The first slot that neither the lab nor QEMU's board uses; above the last one is the board's own function. */
const firstSlot = 5;
const lastSlot = 0x1e;
const MB = 1024 * 1024;
/** The machine's memory; the ring may take 1 GiB of it. */
const memory_MB = 3072;

/** A machine's phase before its first run. */
export const theBoot = "the boot";

/** One run of a workload: bare, recorded, or under mmiotrace. */
export interface Run {
  exitCode: number;
  output: string;
  /** The kernel's messages, without their times. */
  messages: string[];
  /** The content of /sys/devices/system/cpu/online just after the run. */
  cpusOnline: string;
}

export interface Boot {
  share: string;
  truthFile: string;
  /** The runs that ended, by `NAME.PHASE`. */
  runs: Map<string, Run>;
  /** `NAME PHASE` of the run in which the machine died, and the reason; undefined if it ended well. */
  died: { during: string; why: string } | undefined;
  /** The output of the machine's kernel. */
  consoleLog: string;
  /** Requests of a workload that the host could not serve, and faults that it saw, with the device: `screen8`. */
  problems: { where: string; what: string }[];
}

/** Gives each case its slot. Throws UserError if there are too many. */
export function placeCases(cases: readonly DriverCase[]): PlacedCase[] {
  if (cases.length > lastSlot - firstSlot + 1)
    throw new UserError(`${cases.length} devices don't fit into one machine`);
  return cases.map((driver, index) => {
    const slot = firstSlot + index;
    const place = driver.place ?? `00:${slot.toString(16).padStart(2, "0")}.0`;
    return { driver, place, slot, fence: Buffer.from([0x5a, 0x11, slot, index]).toString("hex") };
  });
}

/** Returns the folder of a case's own files, which QEMU reads and writes. */
export function filesOf(work: string, name: string): string {
  return join(work, "files", name);
}

/**
 * Boots a machine with the cases' devices and runs `script` in it. `work` is an empty folder for it alone. A machine that
 * is silent for `silence_s` is taken for dead, well before `timeout_s`.
 * The result tells of a machine that died; throws UserError if it can't even be started.
 */
export async function bootDrivers(
  work: string,
  request: {
    kernel: LabKernel;
    cpus: number;
    threads?: Threads;
    cases: readonly PlacedCase[];
    script: string;
    silence_s?: number;
    timeout_s: number;
  },
  onRun: (line: string) => void,
): Promise<Boot> {
  const share = join(work, "share");
  mkdirSync(join(share, "programs"), { recursive: true });
  for (const name of ["mode-set", "play"]) await buildProgram(name, request.kernel, join(share, "programs", name));
  const qemuArguments = ["-qmp", `unix:${join(work, "qmp")},server=on,wait=off`];
  for (const placed of request.cases) {
    qemuArguments.push(...deviceArguments(work, placed));
    writeFileSync(join(share, `${placed.driver.name}.sh`), workloadScript(placed, placed.driver.workload));
  }
  writeFileSync(join(share, "machine.sh"), request.script);

  const host = new DriverHost(join(work, "qmp"), share);
  const truthFile = join(work, "truth.log");
  let running = theBoot;
  let rest = "";
  const boot: Boot = {
    share,
    truthFile,
    runs: new Map(),
    died: undefined,
    consoleLog: "",
    problems: host.problems,
  };
  const silence = new Silence(request.silence_s ?? request.timeout_s);
  const hear = (chunk: Buffer) => {
    const lines = (rest + chunk.toString("latin1")).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (!line.startsWith(signalPrefix)) onRun(`  ${line}`);
      else {
        silence.broken();
        const words = line.slice(signalPrefix.length).split(" ");
        if (words[0] === "begin") running = words.slice(1).join(" ");
        else if (words[0] === "end") running = `after ${words.slice(1).join(" ")}`;
        else host.signal(words);
      }
    }
  };
  const tpms: ChildProcess[] = [];
  try {
    for (const { driver } of request.cases) {
      if (driver.needs === "swtpm") tpms.push(await startTpm(filesOf(work, driver.name), request.timeout_s));
    }
    const result = await runInLab({
      kernel: request.kernel,
      cpus: request.cpus,
      threads: request.threads,
      memory_MB,
      qemuArguments,
      kvm: false,
      truthFile,
      shareDirectory: share,
      command: "/bin/sh /share/machine.sh",
      timeout_s: request.timeout_s,
      onOutput: hear,
      signal: silence.signal,
    });
    boot.consoleLog = result.consoleLog;
  } catch (error) {
    if (!(error instanceof LabError)) throw error;
    boot.died = { during: running, why: silence.signal.aborted ? silence.tooLong() : messageOf(error) };
    boot.consoleLog = error.consoleLog;
    writeFileSync(join(work, "console"), error.consoleLog);
  } finally {
    silence.close();
    for (const tpm of tpms) tpm.kill();
    await host.close();
  }
  collectRuns(share, boot.runs);
  return boot;
}

/** Aborts its signal after a time of silence. */
class Silence {
  private readonly limit_s: number;
  private readonly controller = new AbortController();
  private timer: NodeJS.Timeout;

  constructor(limit_s: number) {
    this.limit_s = limit_s;
    this.timer = this.start();
  }

  get signal(): AbortSignal {
    return this.controller.signal;
  }

  broken(): void {
    clearTimeout(this.timer);
    this.timer = this.start();
  }

  tooLong(): string {
    return `nothing was heard of it for ${this.limit_s} s`;
  }

  close(): void {
    clearTimeout(this.timer);
  }

  private start(): NodeJS.Timeout {
    return setTimeout(() => this.controller.abort(), this.limit_s * 1000);
  }
}

function deviceArguments(work: string, { driver, slot }: PlacedCase): string[] {
  const folder = filesOf(work, driver.name);
  mkdirSync(folder, { recursive: true });
  if (driver.disk_MB !== undefined) {
    const image = openSync(join(folder, "disk"), "w");
    ftruncateSync(image, driver.disk_MB * MB);
    closeSync(image);
  }
  const text = driver.qemu.replaceAll("@S", `0x${slot.toString(16)}`).replaceAll("@D", String(slot));
  return splitWords(text.replaceAll("@F", folder.replaceAll(",", ",,")));
}

/** Compiles one of the programs that run in the machine. */
async function buildProgram(name: string, kernel: LabKernel, path: string): Promise<void> {
  const source = join(projectDirectory, "test/guest", `${name}.c`);
  // instead of libdrm's headers use the kernel's own, which have annotations that user programs lack
  const headers = kernel.headersDirectory ?? "/usr/src/linux";
  const beside = existsSync(dirname(headers)) ? readdirSync(dirname(headers)) : [];
  const common = beside.filter((found) => /^linux-headers-.*common/.test(found));
  // the second one: a kernel's whole source has it
  const folders = [...common.map((found) => join(dirname(headers), found)), headers];
  const include = folders.flatMap((folder) => ["-idirafter", join(folder, "include/uapi")]);
  const built = await runTool("gcc", ["-Wall", "-Wextra", "-O2", "-D__user=", ...include, "-o", path, source]);
  if (built.code !== 0) throw new UserError(`compiling ${source} failed: ${built.stderr.trim().split("\n")[0]}`);
}

function collectRuns(share: string, runs: Map<string, Run>): void {
  for (const file of readdirSync(share).filter((name) => name.endsWith(".cpus"))) {
    const run = file.slice(0, -".cpus".length);
    const read = (what: string) => {
      const path = join(share, `${run}.${what}`);
      return existsSync(path) ? readFileSync(path, "latin1") : "";
    };
    runs.set(run, {
      exitCode: Number(read("code")),
      output: read("out"),
      messages: read("dmesg")
        .split("\n")
        .map((line) => line.replace(/^\[[^\]]*\] /, ""))
        .filter((line) => line !== ""),
      cpusOnline: read("cpus").trim(),
    });
  }
}

/** Keeps the files needed to investigate a failure. */
export function keepFiles(from: string, to: string, names: readonly string[]): void {
  mkdirSync(to, { recursive: true });
  for (const name of names)
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name.replaceAll("/", "-")));
}
