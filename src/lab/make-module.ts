// Compiles a module for a kernel of the lab. The core has a build of its own: capture/emulate/core-build.ts.

import { UserError } from "../base/errors.js";
import { runToolIn } from "../base/run-in-root.js";
import type { ToolResult } from "../base/run-tool.js";
import type { LabKernel } from "./kernel-package.js";

const make_ms = 300_000;

/** Runs Kbuild on the module's sources in `folder`, by the kernel's headers. Throws UserError if it has none. */
export async function makeModule(kernel: LabKernel, folder: string): Promise<ToolResult> {
  const { release, headersDirectory, buildRoot } = kernel;
  if (headersDirectory === undefined) throw new UserError(`building a module for ${release} failed: it has no headers`);
  const root = await buildRoot?.();
  const here = root === undefined ? undefined : { ...root, folders: [...root.folders, folder] };
  const words = ["-C", headersDirectory, `M=${folder}`, "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules"];
  return await runToolIn(here, "make", words, { timeout_ms: make_ms });
}
