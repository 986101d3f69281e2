// Engine `instrument`'s needs on this machine, beside those of engine emulate: the programs that swap modules. Changes nothing.
import { findTool } from "../../base/run-tool.js";
import { type Check, good, missing } from "../../machine/check.js";

/** Checks for the programs that put a rewritten module in the place of the original one. */
export function swapCheck(): Check {
  const absent = ["mount", "umount", "modprobe"].filter((tool) => findTool(tool) === undefined);
  if (absent.length === 0) return good("swapping", "modules can be swapped: mount and modprobe are installed");
  return missing("swapping", `${absent.join(", ")} not installed`, "on Debian: apt-get install mount kmod");
}
