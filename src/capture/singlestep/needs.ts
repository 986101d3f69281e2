// Engine `singlestep`'s needs on this machine: an accessible mmiotrace in the kernel. Changes nothing.
import { join } from "node:path";
import { type Check, good, missing, unknown } from "../../machine/check.js";
import { readKernelFile } from "../../machine/kernel-files.js";
import { tracefs, whyNoTracefs } from "../../machine/tracefs.js";
import type { RunningKernel } from "../engine.js";

export function singlestepNeeds({ configuration }: RunningKernel): Check[] {
  return [mmiotraceCheck(configuration)];
}

function mmiotraceCheck(config: RunningKernel["configuration"]): Check {
  const what = "mmiotrace";
  const built = config?.get("CONFIG_MMIOTRACE");
  if (config !== undefined && built !== "y") return missing(what, "this kernel was built without CONFIG_MMIOTRACE");
  const why = whyNoTracefs();
  if (why !== undefined)
    return missing(what, why, "engine emulate needs none; the core must be signed where a kernel is locked down");
  const tracers = readKernelFile(join(tracefs, "available_tracers"));
  if (tracers?.split(/\s+/).includes(what) === true) return good(what, "in this kernel");
  if (tracers !== undefined) return missing(what, `not among this kernel's tracers: ${tracers.trim()}`);
  const mounts = "tracefs isn't mounted; record mounts it while it runs";
  return built === "y" ? good(what, `in this kernel; ${mounts}`) : unknown(what, mounts);
}
