// Reads sysfs's facts about the loaded kernel modules: text address and build id. Only reads.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { KernelModule } from "../trace/header.js";
import { readKernelFile } from "./kernel-files.js";
import { buildIdSection, readBuildId } from "./module-file.js";
import { defaultSysfs, type SysfsRoot } from "./pci.js";

/** Returns a module's name as the kernel writes it: with `_` instead of `-`. */
export function canonicalModuleName(name: string): string {
  return name.replaceAll("-", "_");
}

/** Returns true if loading was switched off until the next boot. */
export function areModulesDisabled(): boolean {
  return readKernelFile("/proc/sys/kernel/modules_disabled")?.trim() === "1";
}

/** Returns true if only modules with a signature are loaded: by the kernel's command line, its configuration, or since then. */
export function areSignaturesEnforced(): boolean {
  return readKernelFile("/sys/module/module/parameters/sig_enforce")?.trim() === "Y";
}

/** Returns true if the module is loaded (or being loaded); built-in ones don't count. */
export function isModuleLoaded(name: string, sysfs: SysfsRoot = defaultSysfs): boolean {
  // not statSync(): what isn't a folder is an error to it
  return existsSync(join(sysfs, "module", canonicalModuleName(name), "refcnt"));
}

/** Returns the build id of a loaded module, hexadecimal, or null if it has none. */
export function loadedBuildId(name: string, sysfs: SysfsRoot = defaultSysfs): string | null {
  return readBuildId(join(sysfs, "module", canonicalModuleName(name), "notes", buildIdSection));
}

/** Returns the number of a loaded module's users (-1: it is going), or undefined if it isn't loaded. */
export function moduleUseCount(name: string, sysfs: SysfsRoot = defaultSysfs): number | undefined {
  const count = readKernelFile(join(sysfs, "module", canonicalModuleName(name), "refcnt"));
  return count === undefined ? undefined : Number(count);
}

/** Returns the names of the loaded modules that use a loaded module themselves. */
export function moduleHolders(name: string, sysfs: SysfsRoot = defaultSysfs): string[] {
  try {
    return readdirSync(join(sysfs, "module", canonicalModuleName(name), "holders")).sort();
  } catch {
    return [];
  }
}

/**
 * Reads a loaded module for the trace's header; undefined if it isn't loaded or hides its addresses.
 *
 * `text_bytes` is the whole module's core size if sysfs doesn't have the text's length; a MODULE record is more exact.
 */
export function readModule(name: string, sysfs: SysfsRoot = defaultSysfs): KernelModule | undefined {
  const folder = join(sysfs, "module", canonicalModuleName(name));
  try {
    const text = BigInt(readFileSync(join(folder, "sections/.text"), "utf8").trim());
    const size_bytes = Number(readFileSync(join(folder, "coresize"), "utf8"));
    return {
      name: canonicalModuleName(name),
      textAddress: `0x${text.toString(16)}`,
      text_bytes: size_bytes,
      buildId: loadedBuildId(name, sysfs),
    };
  } catch {
    return undefined;
  }
}

/** Reads all loaded modules that show their text's address, sorted by address; they don't overlap. */
export function readModules(sysfs: SysfsRoot = defaultSysfs): KernelModule[] {
  const modules = listModules(sysfs)
    .map((name) => readModule(name, sysfs))
    .filter((found) => found !== undefined)
    .sort((a, b) => (BigInt(a.textAddress) < BigInt(b.textAddress) ? -1 : 1));
  for (const [index, module] of modules.entries()) {
    const next = modules[index + 1];
    if (next === undefined) continue;
    module.text_bytes = Math.min(module.text_bytes, Number(BigInt(next.textAddress) - BigInt(module.textAddress)));
  }
  return modules;
}

function listModules(sysfs: SysfsRoot): string[] {
  try {
    return readdirSync(join(sysfs, "module"))
      .filter((name) => isModuleLoaded(name, sysfs))
      .sort();
  } catch {
    return [];
  }
}
