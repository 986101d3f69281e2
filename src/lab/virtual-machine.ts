// A disposable machine: boots QEMU, runs one command in it, collects its output and exit code, powers off.
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { UserError } from "../base/errors.js";
import { cacheDirectory, projectDirectory } from "../base/paths.js";
import { findTool, requireTrustedTool } from "../base/run-tool.js";
import { shellQuoted } from "../base/shell-quote.js";
import { crashIn } from "./console-log.js";
import { LabFolderError } from "./errors.js";
import { makeInitrd } from "./initrd.js";
import type { LabKernel } from "./kernel-package.js";

export const qemuProgram = "qemu-system-x86_64";

/** QEMU's names for the accesses that devices receive, to their regions and to their configuration space. */
const truthEvents = ["memory_region_ops_read", "memory_region_ops_write", "pci_cfg_read", "pci_cfg_write"];

/** The values of QEMU's `-accel tcg,thread=`. */
export const threadModes = ["multi", "single"] as const;
export type Threads = (typeof threadModes)[number];

export interface LabRequest {
  kernel: LabKernel;
  cpus: number;
  /** QEMU runs each CPU in its own thread, or all in turns in one; see kernelCommandLine. Default: multi. */
  threads?: Threads | undefined;
  memory_MB: number;
  /** Further arguments for QEMU, one a string. */
  qemuArguments: readonly string[];
  /** Guests really start on KVM here (see kvm-probe.ts). Unused with `truthFile`: some accesses wouldn't be logged. */
  kvm: boolean;
  /** File in which QEMU logs every access to its devices, or undefined. */
  truthFile?: string | undefined;
  /** The folder that is the guest's /share, or undefined. */
  shareDirectory?: string | undefined;
  /** Further words for the guest kernel's command line. */
  kernelParameters?: string | undefined;
  /** Gives the machine a root in its own memory (memory-root.ts) instead of the host's: it can suspend then. */
  suspendable?: boolean;
  /** The command, run with `sh -c`. */
  command: string;
  /** Time limit of the machine. */
  timeout_s: number;
  /** Gets the command's output (standard output and error as one stream) as it comes. */
  onOutput?: (chunk: Buffer) => void;
  /** Ends the machine early. */
  signal?: AbortSignal;
}

export interface LabResult {
  /** The command's exit code. */
  exitCode: number;
  /** The output of the guest's kernel on its console. */
  consoleLog: string;
  /** From QEMU's start to its end. */
  duration_ms: number;
}

/** The machine gave no exit code: it crashed, took too long, or was ended. */
export class LabError extends UserError {
  override readonly name = "LabError";
  /** The whole output of the guest's kernel. */
  readonly consoleLog: string;

  constructor(message: string, consoleLog: string, options: { advice?: string } = {}) {
    super(message, options);
    this.consoleLog = consoleLog;
  }
}

/** Lines of the console shown where there is no complaint: the last ones. */
const consoleEnd_lines = 15;

/** Additional time of the machine's own limit, compared with ours. */
const orphanGrace_s = 30;

/**
 * Boots a machine, runs the command, powers off.
 *
 * Throws UserError if QEMU isn't available; LabError if it fails, if the guest's kernel panics, and if the time is over. The
 * advice has the console's output.
 */
export async function runInLab(request: LabRequest): Promise<LabResult> {
  const qemu = findTool(qemuProgram);
  if (qemu === undefined) {
    throw new UserError(`the lab needs QEMU, and ${qemuProgram} isn't installed`, {
      advice: "as root: apt-get install --no-install-recommends qemu-system-x86",
    });
  }
  requireTrustedTool(qemu);
  for (const [use, folder] of [
    ["share", request.shareDirectory],
    ["truth", request.truthFile === undefined ? undefined : dirname(resolve(request.truthFile))],
  ] as const) {
    if (folder !== undefined && !existsSync(folder)) throw new LabFolderError(use, folder);
  }
  const { truthFile, shareDirectory } = request;
  if (request.suspendable && truthFile !== undefined && shareDirectory !== undefined) {
    if (`${dirname(resolve(truthFile))}/`.startsWith(`${resolve(shareDirectory)}/`)) {
      throw new UserError(
        `the log ${truthFile} lies in the folder that a suspendable machine copies, and grows meanwhile`,
        { advice: "put the log elsewhere than into the shared folder" },
      );
    }
  }
  const work = mkdtempSync(join(tmpdir(), "mmiostrider-lab-"));
  const started_ms = Date.now();
  try {
    writeFileSync(
      join(work, "initrd.gz"),
      await makeInitrd(request.kernel, guestScript(request.command), request.suspendable),
    );
    mkdirSync(join(work, "empty"));
    const ended = await runQemu(qemu, qemuCommandLine(request, work), request);
    const consoleLog = readIfThere(join(work, "console"));
    const exit = /^exit (\d+)$/m.exec(readIfThere(join(work, "exit")));
    if (exit === null) throw whyNoExit(ended, consoleLog, request.timeout_s);
    return { exitCode: Number(exit[1]), consoleLog, duration_ms: Date.now() - started_ms };
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function readIfThere(path: string): string {
  return existsSync(path) ? readFileSync(path, "utf8") : "";
}

/** Makes the script for the guest's shell: the user's command, with the project's on its PATH. */
function guestScript(command: string): string {
  return `mkdir -p /run/lab/bin
cat > /run/lab/bin/mmiostrider <<'END'
#!/bin/sh
exec ${shellQuoted(process.execPath)} ${shellQuoted(join(projectDirectory, "bin/mmiostrider.js"))} "$@"
END
chmod +x /run/lab/bin/mmiostrider
export PATH=/run/lab/bin:${dirname(process.execPath)}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/lab/applets
export HOME=${shellQuoted(process.env.HOME ?? "/root")} TERM=dumb LC_ALL=C.UTF-8 MMIOSTRIDER_LAB=1
export MMIOSTRIDER_CACHE=${shellQuoted(cacheDirectory())}
unset NODE_OPTIONS
cd /share 2>/dev/null || cd /
sh -c ${shellQuoted(command)}
`;
}

function qemuCommandLine(request: LabRequest, work: string): string[] {
  const share = request.shareDirectory ?? join(work, "empty");
  // a comma ends an option of QEMU's
  const file = (path: string) => path.replaceAll(",", ",,");
  // On KVM, interrupt controllers in the kernel and eventfds take accesses before QEMU's devices see them.
  const kvm = request.kvm && request.truthFile === undefined;
  return [
    ...["-machine", "q35"],
    ...["-accel", kvm ? "kvm" : `tcg,thread=${request.threads ?? "multi"}`],
    ...["-cpu", kvm ? "host" : "max", "-smp", String(request.cpus), "-m", String(request.memory_MB)],
    ...["-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-nic", "none"],
    ...["-kernel", request.kernel.imagePath, "-initrd", join(work, "initrd.gz")],
    ...["-append", kernelCommandLine(request)],
    ...["-serial", `file:${file(join(work, "console"))}`],
    ...["-fsdev", "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"],
    ...["-device", "virtio-9p-pci,fsdev=host,mount_tag=host"],
    ...["-fsdev", `local,id=share,path=${file(share)},security_model=none,multidevs=remap`],
    ...["-device", "virtio-9p-pci,fsdev=share,mount_tag=share"],
    ...["-device", "virtio-serial-pci,id=ports,max_ports=4"],
    ...["-chardev", "stdio,id=output,signal=off", "-device", "virtserialport,bus=ports.0,nr=1,chardev=output"],
    ...["-chardev", `file,id=exit,path=${file(join(work, "exit"))}`],
    ...["-device", "virtserialport,bus=ports.0,nr=2,chardev=exit"],
    ...(request.truthFile === undefined
      ? []
      : ["-D", request.truthFile, ...truthEvents.flatMap((event) => ["-trace", event])]),
    ...request.qemuArguments,
  ];
}

function kernelCommandLine(request: LabRequest): string {
  // an oops ends the machine at once, and -no-reboot QEMU with it
  const words = ["console=ttyS0", "loglevel=5", "panic=-1", "oops=panic", "net.ifnames=0", "rdinit=/init"];
  // no_timer_check: on a busy host the emulated timer is too late for the kernel's check, and the kernel panics; on KVM it
  // trusts the timer anyway. tsc=reliable: the TSC is the same on all CPUs; a kernel that takes it for unstable reads a
  // clock that is a device, with thousands of lines a second in QEMU's log
  words.push("no_timer_check", "tsc=reliable");
  // init starts the other CPUs after the kernel has patched itself. With a thread a CPU, QEMU 7.2 can translate an
  // instruction while another CPU changes it, and keep the wrong translation for good: an endless breakpoint, or a call to
  // nowhere
  words.push("maxcpus=1");
  return [...words, ...(request.kernelParameters === undefined ? [] : [request.kernelParameters])].join(" ");
}

interface QemuEnd {
  code: number | null;
  errors: string;
  timedOut: boolean;
  aborted: boolean;
}

/**
 * Runs QEMU to its end; ends it, and only it, after the time limit.
 *
 * `timeout` around it does the same if this process is killed.
 */
function runQemu(qemu: string, parameters: string[], request: LabRequest): Promise<QemuEnd> {
  return new Promise((done, failed) => {
    const limit = ["--signal=KILL", String(request.timeout_s + orphanGrace_s), qemu];
    // its own process group: Ctrl-C reaches only us, and we end it. Standard input stays open: its end would close the port.
    const child: ChildProcess = spawn("timeout", [...limit, ...parameters], { stdio: "pipe", detached: true });
    let errors = "";
    let timedOut = false;
    let aborted = false;
    const end = () => {
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      process.kill(-child.pid, "SIGKILL");
    };
    const timer = setTimeout(() => {
      timedOut = true;
      end();
    }, request.timeout_s * 1000);
    const abort = () => {
      aborted = true;
      end();
    };
    request.signal?.addEventListener("abort", abort, { once: true });
    if (request.signal?.aborted === true) abort();
    // before the folders that it writes into are removed
    process.prependOnceListener("exit", end);
    child.stdout?.on("data", (chunk: Buffer) => request.onOutput?.(chunk));
    child.stderr?.on("data", (chunk: Buffer) => {
      errors = (errors + chunk.toString()).slice(-4000);
    });
    child.on("error", (error) => failed(new UserError(`starting ${qemu} failed: ${error.message}`)));
    child.on("close", (code) => {
      clearTimeout(timer);
      process.removeListener("exit", end);
      request.signal?.removeEventListener("abort", abort);
      done({ code, errors, timedOut, aborted });
    });
  });
}

function whyNoExit(ended: QemuEnd, consoleLog: string, timeout_s: number): LabError {
  const complaint = crashIn(consoleLog);
  const excerpt = complaint ?? consoleLog.trimEnd().split("\n").slice(-consoleEnd_lines).join("\n");
  const advice = excerpt === "" ? "its console said nothing" : `its console said:\n${excerpt}`;
  if (ended.aborted) return new LabError("the lab was interrupted", consoleLog);
  if (ended.timedOut)
    return new LabError(`the machine was ended after ${timeout_s} s without an exit code`, consoleLog, { advice });
  if (ended.code !== 0) {
    const why = ended.errors.trim().split("\n").at(-1) ?? "";
    return new LabError(`QEMU ended with code ${ended.code}: ${why}`, consoleLog);
  }
  const why = complaint === undefined ? "went down" : "crashed";
  return new LabError(`the machine ${why} before the command ended`, consoleLog, { advice });
}
