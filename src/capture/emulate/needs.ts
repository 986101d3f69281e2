// Engine `emulate`'s needs on this machine: a kernel that loads the core, the core or the tools to build it, and probes. Changes
// nothing.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { messageOf, UserError } from "../../base/errors.js";
import { findTool } from "../../base/run-tool.js";
import { requireTrusted } from "../../base/trusted-path.js";
import { type Check, good, missing, unknown, without } from "../../machine/check.js";
import { readKernelFile } from "../../machine/kernel-files.js";
import { areModulesDisabled } from "../../machine/kernel-modules.js";
import { lockdownLevel } from "../../machine/lockdown.js";
import { kernelAgeCheck } from "../../machine/supported-kernels.js";
import type { RunningKernel } from "../engine.js";
import { cachedCore, compilerCommand, kernelCompiler } from "./core-build.js";

export function emulateNeeds({ release, configuration }: RunningKernel): Check[] {
  const loading = [modulesLoadable(), ...signingChecks(configuration), kernelTools()];
  const hooks = [kprobesCheck(configuration), ...optionChecks(configuration)];
  return [kernelAgeCheck(release), ...loading, ...buildChecks(release), ...hooks];
}

function modulesLoadable(): Check {
  if (!existsSync("/proc/modules")) return missing("modules", "this kernel can't load modules");
  if (/\bnomodule\b/.test(readKernelFile("/proc/cmdline") ?? "")) {
    return missing("modules", "loading is switched off on the kernel's command line", "boot without `nomodule`");
  }
  if (areModulesDisabled()) {
    return missing("modules", "loading is switched off until the next boot", "reboot, without kernel.modules_disabled");
  }
  return good("modules", "can be loaded");
}

/** Checks Secure Boot, lockdown, and enforced module signatures: each of them forbids an unsigned core. */
function signingChecks(config: RunningKernel["configuration"]): Check[] {
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
  if (level === undefined && config !== undefined && config.get("CONFIG_SECURITY_LOCKDOWN_LSM") !== "y") {
    checks.push(good("lockdown", "not in this kernel"));
  } else if (level === undefined) {
    const shown = existsSync("/sys/kernel/security/lockdown") || !existsSync("/sys/kernel/security");
    checks.push(shown ? unknown("lockdown", "not shown") : good("lockdown", "not in this kernel, or not shown"));
  } else if (level === "none") checks.push(good("lockdown", "none"));
  else checks.push(missing("lockdown", `${level}: unsigned modules are refused`, sign));

  const enforced = readKernelFile("/sys/module/module/parameters/sig_enforce")?.trim();
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

/** Checks for a cached core, or for the tools to build one. */
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

function kprobesCheck(config: RunningKernel["configuration"]): Check {
  const what = "kprobes";
  const symbols = readKernelFile("/proc/kallsyms");
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
  if (readKernelFile("/sys/kernel/debug/kprobes/enabled")?.trim() === "0") {
    return missing(what, "in this kernel, but disarmed", "echo 1 > /sys/kernel/debug/kprobes/enabled");
  }
  // ftrace, if available, makes the probes at the start of functions
  if (readKernelFile("/proc/sys/kernel/ftrace_enabled")?.trim() === "0") {
    return missing(what, "in this kernel, but ftrace is switched off", "echo 1 > /proc/sys/kernel/ftrace_enabled");
  }
  return good(what, "in this kernel");
}

/** Options without which the core records, but with less; docs/lab.md lists them, too. */
const optional = [
  { what: "unloading", option: "CONFIG_MODULE_UNLOAD", lack: "once loaded, the core stays until the next boot" },
  { what: "tracepoints", option: "CONFIG_TRACEPOINTS", lack: "a trace has no interrupts" },
  {
    what: "ftrace",
    option: "CONFIG_DYNAMIC_FTRACE_WITH_REGS",
    lack: "while recording, a kprobe on an instruction that accesses a device makes the kernel oops",
  },
  { what: "unwinder", option: "CONFIG_UNWINDER_ORC", lack: "a trace has no callers of ioread32() and the like" },
];

function optionChecks(config: RunningKernel["configuration"]): Check[] {
  return optional.map(({ what, option, lack }) => {
    if (config === undefined) return unknown(what, "this kernel doesn't show its configuration");
    if (config.get(option) === "y") return good(what, "in this kernel");
    return without(what, `this kernel was built without ${option}: ${lack}`);
  });
}
