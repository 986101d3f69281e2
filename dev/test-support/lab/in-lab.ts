// Shared by tests of the lab and tests in it: boots a machine around a command and returns its output.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished } from "vitest";
import { buildCore } from "../../../src/capture/emulate/core-build.js";
import { complaintIn } from "../../../src/lab/console-log.js";
import { installTools } from "../../../src/lab/debian.js";
import { type LabKernel, prepareKernel } from "../../../src/lab/kernel-package.js";
import { probeKvm } from "../../../src/lab/kvm-probe.js";
import { labTools } from "../../../src/lab/needs.js";
import { splitWords } from "../../../src/lab/split-words.js";
import { LabError, runInLab, type Threads } from "../../../src/lab/virtual-machine.js";
import { configurationOf } from "../../../src/trace/space.js";

export interface LabOptions {
  /** Argument of `mmiostrider lab --kernel`; default: debian:stable. */
  kernel?: string;
  cpus?: number;
  /** Argument of `--threads`. */
  threads?: Threads;
  /** Further arguments for QEMU, as for `--qemu`. */
  qemu?: string;
  /** Further words for the kernel's command line. */
  append?: string;
  /** The option `--suspendable`. */
  suspendable?: boolean;
  /** A folder that the machine sees as /share. */
  share?: string;
  /** Keep QEMU's log of the devices' accesses, in the file if a name is given. */
  truth?: boolean | string;
  timeout_s?: number;
  signal?: AbortSignal;
  /** The machine shall fail: its console isn't shown. */
  fails?: boolean;
  /** Gets the command's output as it comes. */
  onOutput?: (chunk: Buffer) => void;
}

export interface LabOutcome {
  exitCode: number;
  /** Standard output and error, as one. */
  output: string;
  consoleLog: string;
  /** QEMU's log, if requested; a log without a given name lives as long as the test. */
  truthFile: string;
}

/** Factor for every time limit, for a slow or busy machine. */
export const patience = Number(process.env.MMIOSTRIDER_TEST_PATIENCE ?? 1);

/** The kernel's own limits, for CPUs that get no time on the host: seconds; a soft lockup is twice the first. */
const kernelPatience =
  patience > 1
    ? [
        `watchdog_thresh=${Math.min(60, 10 * patience)}`,
        `rcupdate.rcu_cpu_stall_timeout=${Math.min(300, 21 * patience)}`,
      ]
    : [];

/** The kernel of most tests. */
export const stableKernel = "debian:stable";
/** Debian 12's two kernels, which this machine's compiler builds for: everything must work on both. */
export const bothKernels = [stableKernel, "debian:6.12"] as const;
/** The ends of what is supported. Tier all alone boots them: the newest is another one every few weeks. */
export const endKernels = ["debian:oldest", "debian:newest"] as const;

const prepared = new Map<string, Promise<LabKernel>>();

/** Returns a kernel that is ready to boot, with the core built for it. Made on first use. */
export function labKernel(kernel: string = stableKernel): Promise<LabKernel> {
  let found = prepared.get(kernel);
  if (found === undefined) {
    found = prepare(kernel);
    prepared.set(kernel, found);
  }
  return found;
}

async function prepare(kernel: string): Promise<LabKernel> {
  const say = (line: string) => process.stderr.write(`${line}\n`);
  await installTools(labTools, say);
  const ready = await prepareKernel(kernel, say);
  say(`${kernel} is ${ready.release}`);
  await buildCore(ready);
  return ready;
}

/** Returns the core's file for the kernel, in the cache; the machine has it at the same path. */
export async function labCore(kernel?: string): Promise<string> {
  return (await buildCore(await labKernel(kernel))).path;
}

/** Runs `command` with `sh -c` in a machine with two CPUs. Throws as `runInLab` does. */
export async function inLab(command: string, options: LabOptions = {}): Promise<LabOutcome> {
  const kernel = await labKernel(options.kernel);
  const chunks: Buffer[] = [];
  const truthFile =
    typeof options.truth === "string" ? options.truth : options.truth ? join(temporaryDirectory(), "truth.log") : "";
  const result = await runInLab({
    kernel,
    cpus: options.cpus ?? 2,
    threads: options.threads,
    memory_MB: 1024,
    qemuArguments: splitWords(options.qemu ?? ""),
    kvm: (await probeKvm(kernel.imagePath)).works,
    truthFile: truthFile === "" ? undefined : truthFile,
    shareDirectory: options.share,
    kernelParameters: [options.append ?? "", ...kernelPatience].join(" ").trim(),
    suspendable: options.suspendable ?? false,
    command,
    timeout_s: patience * (options.timeout_s ?? 240),
    onOutput: (chunk) => {
      chunks.push(chunk);
      options.onOutput?.(chunk);
    },
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  }).catch((error) => {
    // the runner shows only an error's message
    if (error instanceof LabError && options.fails !== true) process.stderr.write(`${error.advice ?? ""}\n`);
    throw error;
  });
  return {
    exitCode: result.exitCode,
    output: Buffer.concat(chunks).toString("latin1"),
    consoleLog: result.consoleLog,
    truthFile,
  };
}

/** The error of a machine that is to fail; what it resolves to where it doesn't. */
export function failureInLab(command: string, options: LabOptions = {}) {
  return inLab(command, { ...options, fails: true }).catch((error) => error);
}

/** Runs a command, which must end with 0 and without a complaint of the kernel; returns its output. */
export async function succeedInLab(command: string, options: LabOptions = {}): Promise<string> {
  const { exitCode, output, consoleLog } = await inLab(command, options);
  expect(exitCode, output).toBe(0);
  expectQuietKernel(consoleLog);
  return output;
}

export function expectQuietKernel(consoleLog: string): void {
  expect(complaintIn(consoleLog)).toBeUndefined();
}

/** Makes an empty folder that is removed after the file's last test. For the top of a file. */
export function sharedDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "mmiostrider-test-"));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Makes an empty folder that is removed after the test. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "mmiostrider-test-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** An access in QEMU's log. */
export interface TruthAccess {
  direction: "read" | "write";
  address: bigint;
  value: bigint;
  width: number;
  /** QEMU's name of the memory region: `e1000-mmio`. */
  region: string;
}

/**
 * Reads the accesses in QEMU's log, in order. One to configuration space stands at the place of its access to the region by which CPUs
 * reach it, which has its width: after it for a write, before it for a read. Its region is `DEVICE configuration`.
 */
export function truthAccesses(truthFile: string): TruthAccess[] {
  const line =
    /memory_region_ops_(read|write) cpu -?\d+ mr \S+ addr (0x[\da-f]+) value (0x[\da-f]+) size (\d+) name '([^']*)'|pci_cfg_(?:read|write) (\S+) (\S+) @0x([\da-f]+) (?:->|<-) 0x([\da-f]+)/g;
  const accesses: TruthAccess[] = [];
  let read: Omit<TruthAccess, "direction" | "width"> | undefined;
  let written = 0;
  for (const match of readFileSync(truthFile, "latin1").matchAll(line)) {
    const [, direction, address, value, size, region, device, place, offset, content] = match as unknown as string[];
    if (device !== undefined) {
      const first = configurationOf(`0000:${place!}`)!;
      const access = {
        address: first + BigInt(`0x${offset!}`),
        value: BigInt(`0x${content!}`),
        region: `${device} configuration`,
      };
      if (match[0].startsWith("pci_cfg_read")) read = access;
      else accesses.push({ ...access, direction: "write", width: written });
      continue;
    }
    const isData = region === "pci-conf-data" || region === "pcie-mmcfg-mmio";
    if (isData && direction === "write") written = Number(size);
    if (isData && direction === "read" && read !== undefined) {
      accesses.push({ ...read, direction: "read", width: Number(size) });
      read = undefined;
    }
    accesses.push({
      direction: direction as "read" | "write",
      address: BigInt(address!),
      value: BigInt(value!),
      width: Number(size),
      region: region!,
    });
  }
  return accesses;
}
