// Finds out, without changing anything, what each engine needs on this machine and whether it is there.
// Printing is cli/doctor.ts's.
import { existsSync, readFileSync } from "node:fs";
import { arch, release } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { messageOf, UserError } from "../base/errors.js";
import { findTool, runTool, type ToolResult } from "../base/run-tool.js";
import { requireTrusted } from "../base/trusted-path.js";
import { areModulesDisabled } from "../machine/kernel-modules.js";
import { lockdownLevel } from "../machine/lockdown.js";
import { tracefs, whyNoTracefs } from "../machine/tracefs.js";
import { cachedCore, compilerCommand, kernelCompiler } from "./emulate/core-build.js";

export interface Check {
  /** What is looked at: `headers`. */
  what: string;
  /** Only `missing` makes an engine unusable. `unknown`: it could not be found out; `without`: it does without. */
  state: "good" | "missing" | "unknown" | "without";
  /** What was found, in words. */
  found: string;
  /** What to do when it is missing. */
  advice?: string;
}

export interface EngineReport {
  engine: "emulate" | "instrument" | "singlestep" | "lab";
  /** What it is, in a few words. */
  about: string;
  /** Everything that it needs is there. */
  usable: boolean;
  /** False while this version of mmiostrider has no such engine yet. */
  inThisVersion: boolean;
  checks: Check[];
}

export interface DoctorReport {
  machine: { release: string; architecture: string };
  engines: EngineReport[];
}

const enginesHere: readonly EngineReport["engine"][] = ["emulate", "singlestep", "lab"];

const good = (what: string, found: string): Check => ({ what, state: "good", found });
const unknown = (what: string, found: string): Check => ({ what, state: "unknown", found });
const missing = (what: string, found: string, advice?: string): Check => ({
  what,
  state: "missing",
  found,
  ...(advice === undefined ? {} : { advice }),
});

/** Looks at everything, except whether guests start on KVM: `kvm` says so, or is undefined where that can't be tried. */
export async function examine(kvm: { works: boolean; why: string } | undefined): Promise<DoctorReport> {
  const kernel = release();
  const config = kernelConfiguration(kernel);
  const architecture = arch() === "x64" ? good("architecture", "x86-64") : missing("architecture", arch());
  const root =
    process.geteuid?.() === 0
      ? good("root", "yes")
      : missing("root", `no: user ${process.geteuid?.() ?? "unknown"}`, "run as root, for example with sudo");

  const loading = [modulesLoadable(), ...signingChecks(config), kernelTools()];
  const core = [...buildChecks(kernel), kprobesCheck(config)];
  const emulate = [architecture, root, good("kernel", kernel), ...loading, ...core];
  const lab = [await qemuCheck(), kvmCheck(kvm)];
  const engine = (name: EngineReport["engine"], about: string, checks: Check[]): EngineReport => ({
    engine: name,
    about,
    usable: checks.every((check) => check.state !== "missing"),
    inThisVersion: enginesHere.includes(name),
    checks,
  });
  return {
    machine: { release: kernel, architecture: arch() },
    engines: [
      engine("emulate", "decoys and emulation: mmiostrider record", emulate),
      engine("instrument", "a rewritten module on top of emulate", emulate),
      engine("singlestep", "the kernel's own mmiotrace: mmiostrider record --engine singlestep", [
        architecture,
        root,
        mmiotraceCheck(config),
      ]),
      engine("lab", "a disposable machine: mmiostrider lab", [architecture, ...lab]),
    ],
  };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** The running kernel's configuration, from wherever it is kept; undefined where it isn't. */
function kernelConfiguration(kernel: string): Map<string, string> | undefined {
  let text: string | undefined;
  try {
    text = gunzipSync(readFileSync("/proc/config.gz")).toString("utf8");
  } catch {
    const places = [`/boot/config-${kernel}`, `/lib/modules/${kernel}/config`, `/lib/modules/${kernel}/build/.config`];
    text = places.map(readText).find((found) => found !== undefined);
  }
  if (text === undefined) return undefined;
  return new Map([...text.matchAll(/^(CONFIG_\w+)=(.*)$/gm)].map((match) => [match[1]!, match[2]!]));
}

function modulesLoadable(): Check {
  if (!existsSync("/proc/modules")) return missing("modules", "this kernel can't load modules");
  if (/\bnomodule\b/.test(readText("/proc/cmdline") ?? "")) {
    return missing("modules", "loading is switched off on the kernel's command line", "boot without `nomodule`");
  }
  if (areModulesDisabled()) {
    return missing("modules", "loading is switched off until the next boot", "reboot, without kernel.modules_disabled");
  }
  return good("modules", "can be loaded");
}

/** Secure Boot, lockdown, and enforced module signatures: three switches that each forbid a core that nobody signed. */
function signingChecks(config: Map<string, string> | undefined): Check[] {
  const sign = "sign the core with a key that the kernel trusts, or switch it off";
  const checks: Check[] = [];

  // UEFI 2.10, 3.3 "Globally Defined Variables": SecureBoot; efivarfs puts four bytes of attributes before the value.
  const variable = "/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c";
  let secureBoot: boolean | undefined;
  try {
    secureBoot = readFileSync(variable)[4] === 1;
  } catch {
    secureBoot = undefined;
  }
  if (!existsSync("/sys/firmware/efi")) checks.push(good("Secure Boot", "none: not booted by UEFI"));
  else if (secureBoot === undefined) checks.push(unknown("Secure Boot", "the firmware's variable can't be read"));
  else checks.push(good("Secure Boot", secureBoot ? "on" : "off"));

  const level = lockdownLevel();
  if (level === undefined) {
    const shown = existsSync("/sys/kernel/security/lockdown") || !existsSync("/sys/kernel/security");
    checks.push(shown ? unknown("lockdown", "not shown") : good("lockdown", "not in this kernel, or not shown"));
  } else if (level === "none") checks.push(good("lockdown", "none"));
  else checks.push(missing("lockdown", `${level}: unsigned modules are refused`, sign));

  const enforced = readText("/sys/module/module/parameters/sig_enforce")?.trim();
  if (enforced === "Y" || config?.get("CONFIG_MODULE_SIG_FORCE") === "y") {
    checks.push(missing("module signing", "enforced", sign));
  } else if (enforced === "N" || (config !== undefined && config.get("CONFIG_MODULE_SIG") !== "y")) {
    checks.push(good("module signing", "not enforced"));
  } else checks.push(unknown("module signing", "can't be found out"));
  return checks;
}

function kernelTools(): Check {
  const absent = ["insmod", "rmmod", "modinfo"].filter((tool) => findTool(tool) === undefined);
  if (absent.length === 0) return good("kmod", "installed");
  return missing("kmod", `${absent.join(", ")} not installed`, "on Debian: apt-get install kmod");
}

/** A cached core, or what it takes to build one. */
function buildChecks(kernel: string): Check[] {
  let cached: string | undefined;
  try {
    cached = cachedCore(kernel);
    if (cached !== undefined) requireTrusted(cached, `loading the core ${cached}`);
  } catch (error) {
    return [missing("core", messageOf(error), error instanceof UserError ? error.advice : undefined)];
  }
  if (cached !== undefined) return [good("core", `built: ${cached}`)];
  const headers = `/lib/modules/${kernel}/build`;
  const checks = [good("core", "not built yet; `mmiostrider record` builds it")];
  const there = existsSync(join(headers, "Makefile"));
  checks.push(
    there
      ? good("headers", headers)
      : missing("headers", `${headers} isn't there`, `on Debian: apt-get install linux-headers-${kernel}`),
  );
  for (const tool of ["make", there ? compilerCommand(headers) : "gcc"]) {
    const path = findTool(tool);
    const what = tool === "make" ? "make" : "compiler";
    const why = what === "make" || !there ? "" : `; the kernel was built with ${kernelCompiler(headers)}`;
    if (path === undefined) {
      checks.push(missing(what, `${tool} isn't installed${why}`, `on Debian: apt-get install ${tool}`));
    } else checks.push(good(what, `${path}${why}`));
  }
  return checks;
}

function kprobesCheck(config: Map<string, string> | undefined): Check {
  const what = "kprobes";
  const symbols = readText("/proc/kallsyms");
  const has = (symbol: string) => symbols?.includes(` ${symbol}\n`) === true;
  const absent = ["CONFIG_KPROBES", "CONFIG_KRETPROBES"].filter((option) => config?.get(option) !== "y");
  if (config !== undefined && absent.length > 0) return missing(what, `this kernel was built without ${absent[0]}`);
  if (config === undefined && symbols !== undefined && !has("register_kretprobe")) {
    return missing(what, "this kernel was built without kretprobes");
  }
  if (config === undefined && symbols === undefined)
    return unknown(what, "neither configuration nor symbols are shown");
  const unseen = ["ioremap", "iounmap", "fixup_exception"].filter((symbol) => symbols !== undefined && !has(symbol));
  if (unseen.length > 0) return missing(what, `this kernel has no function ${unseen.join(", ")} to put a probe on`);
  if (readText("/sys/kernel/debug/kprobes/enabled")?.trim() === "0") {
    return missing(what, "in this kernel, but disarmed", "echo 1 > /sys/kernel/debug/kprobes/enabled");
  }
  // probes at the start of a function are made by ftrace where it is there
  if (readText("/proc/sys/kernel/ftrace_enabled")?.trim() === "0") {
    return missing(what, "in this kernel, but ftrace is switched off", "echo 1 > /proc/sys/kernel/ftrace_enabled");
  }
  return good(what, "in this kernel");
}

function mmiotraceCheck(config: Map<string, string> | undefined): Check {
  const what = "mmiotrace";
  const built = config?.get("CONFIG_MMIOTRACE");
  if (config !== undefined && built !== "y") return missing(what, "this kernel was built without CONFIG_MMIOTRACE");
  const why = whyNoTracefs();
  if (why !== undefined)
    return missing(what, why, "engine emulate needs none; the core must be signed where a kernel is locked down");
  const tracers = readText(join(tracefs, "available_tracers"));
  if (tracers?.split(/\s+/).includes(what) === true) return good(what, "in this kernel");
  if (tracers !== undefined) return missing(what, `not among this kernel's tracers: ${tracers.trim()}`);
  const mounts = "tracefs isn't mounted; record mounts it while it runs";
  return built === "y" ? good(what, `in this kernel; ${mounts}`) : unknown(what, mounts);
}

async function qemuCheck(): Promise<Check> {
  let result: ToolResult;
  try {
    result = await runTool("qemu-system-x86_64", ["--version"]);
  } catch (error) {
    return missing("QEMU", messageOf(error), error instanceof UserError ? error.advice : undefined);
  }
  if (result.missing) {
    return missing("QEMU", "not installed", "on Debian: apt-get install --no-install-recommends qemu-system-x86");
  }
  const version = /version (\S+)/.exec(result.stdout)?.[1];
  return version === undefined ? missing("QEMU", "doesn't say its version") : good("QEMU", version);
}

function kvmCheck(kvm: { works: boolean; why: string } | undefined): Check {
  if (kvm === undefined)
    return unknown("KVM", "no kernel here to try it with; the first `mmiostrider lab` fetches one");
  if (kvm.works) return good("KVM", kvm.why);
  return { what: "KVM", state: "without", found: `${kvm.why}; the CPU is emulated, which takes longer` };
}
