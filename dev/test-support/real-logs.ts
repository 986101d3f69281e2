// For tests only: finds logs that other people's machines wrote. They aren't part of the project.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { projectDirectory } from "../../src/base/paths.js";

/** `$MMIOSTRIDER_LOGS`, else `../shared/logs` beside the checkout. */
export const logsDirectory = resolve(process.env.MMIOSTRIDER_LOGS ?? join(projectDirectory, "..", "shared", "logs"));

/** Returns the reason why tests with these logs can't run, else undefined. In CI such a reason is an error. */
export function whyNoRealLogs(): string | undefined {
  if (existsSync(join(logsDirectory, "titanv-nouveau-1.mmiotrace.xz"))) return undefined;
  const why = `no logs at ${logsDirectory}: set MMIOSTRIDER_LOGS to a folder that has titanv-nouveau-1.mmiotrace.xz`;
  if (process.env.CI === "true") throw new Error(`in CI no test may be skipped, but: ${why}`);
  return why;
}

/** Returns the unpacked text of the log `name`. */
export function realLog(name: string): string {
  const { stdout, stderr, status } = spawnSync("xz", ["-dc", join(logsDirectory, `${name}.xz`)], {
    maxBuffer: 64 << 20,
    encoding: "latin1",
  });
  if (status !== 0) throw new Error(`unpacking ${name} failed: ${stderr}`);
  return stdout;
}
