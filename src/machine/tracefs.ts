// The kernel's tracefs: its place, and mounting it for as long as we need it.
import { UserError } from "../base/errors.js";
import { runTool } from "../base/run-tool.js";
import { readKernelFile } from "./kernel-files.js";
import { lockdownLevel } from "./lockdown.js";

export const tracefs = "/sys/kernel/tracing";

/** Looks into proc(5), /proc/pid/mounts: device, place, kind. */
export function isTracefsMounted(mounts = readKernelFile("/proc/self/mounts") ?? ""): boolean {
  return mounts.split("\n").some((line) => line.split(" ")[1] === tracefs && line.split(" ")[2] === "tracefs");
}

/** Looks into proc(5), /proc/filesystems: a name a line, after a tab if it needs no disk. */
export function hasTracefs(filesystems = readKernelFile("/proc/filesystems") ?? ""): boolean {
  return /\ttracefs$/m.test(filesystems);
}

/** Returns the reason why tracefs can't be used at all, or undefined. */
export function whyNoTracefs(level = lockdownLevel()): string | undefined {
  if (level === "confidentiality") return "this kernel is locked down (confidentiality), which closes tracefs";
  return hasTracefs() ? undefined : "this kernel has no tracefs";
}

/** Mounts tracefs unless it is mounted. Returns true if it did, so that the caller can undo it. Throws UserError. */
export async function mountTracefs(): Promise<boolean> {
  const why = whyNoTracefs();
  if (why !== undefined) {
    throw new UserError(`engine singlestep drives mmiotrace through tracefs, and ${why}`, {
      advice: "engine emulate needs no tracefs, but a module; `mmiostrider lab` records in a virtual machine",
    });
  }
  if (isTracefsMounted()) return false;
  const result = await runTool("mount", ["-t", "tracefs", "tracefs", tracefs]);
  if (result.code === 0) return true;
  const said = result.missing ? "there is no mount" : (result.stderr.trim().split("\n").at(-1) ?? "");
  throw new UserError(`mounting tracefs at ${tracefs} failed: ${said}`, {
    advice: "engine singlestep drives mmiotrace through it; in a container, the host must mount it",
  });
}

/** Unmounts tracefs, unless somebody else has begun to use it. */
export async function unmountTracefs(): Promise<void> {
  await runTool("umount", [tracefs]);
}
