// Rewrites the modules of cases outside of the machines, where it takes a second and not half a minute: machines have the same cache.
import { basename, join } from "node:path";
import { readDependencies } from "../../src/capture/driver-devices.js";
import { rewrittenFiles } from "../../src/capture/instrument/rewritten-files.js";
import { mayTouchDevices } from "../../src/capture/instrument/swap-plan.js";
import type { LabKernel } from "../../src/lab/kernel-package.js";
import { canonicalModuleName } from "../../src/machine/kernel-modules.js";
import type { DriverCase } from "./driver-cases.js";

/** Rewrites those that have the name of a case, and their libraries; what is missing then, the machine rewrites. */
export async function rewriteOutside(
  { release, modulesDirectory }: LabKernel,
  cases: readonly DriverCase[],
  say: (line: string) => void,
): Promise<void> {
  const folder = join(modulesDirectory, release);
  const listed = new Map(readDependencies(folder).map((one) => [one.module, one]));
  const wanted = new Set<string>();
  for (const { name, notRewritten } of cases) {
    const driver = listed.get(canonicalModuleName(name));
    if (driver === undefined || notRewritten !== undefined) continue;
    for (const module of [driver.module, ...driver.uses]) {
      const { file } = listed.get(module)!;
      if (mayTouchDevices(file)) wanted.add(file);
    }
  }
  for (const file of wanted) {
    await rewrittenFiles(join(folder, file), {
      release,
      profile: undefined,
      onRewrite: () => say(`rewriting ${basename(file)}`),
    });
  }
}
