// For tests only: finds envytools' register database, the format's real-world example. It isn't part of the project.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { projectDirectory } from "../../src/base/paths.js";

/** `$MMIOSTRIDER_RNNDB`, else `../shared/rnndb` beside the checkout. */
export const rnndbDirectory = resolve(process.env.MMIOSTRIDER_RNNDB ?? join(projectDirectory, "..", "shared", "rnndb"));

/** Returns the reason why tests against that database can't run, else undefined. In CI such a reason is an error. */
export function whyNoRnndb(): string | undefined {
  return whyNot(
    existsSync(join(rnndbDirectory, "nv_mmio.xml")),
    `no rnndb at ${rnndbDirectory}: set MMIOSTRIDER_RNNDB to a folder that has nv_mmio.xml`,
  );
}

/** Does the same as whyNoRnndb(), for xmllint. */
export function whyNoXmllint(): string | undefined {
  const found = spawnSync("xmllint", ["--version"]).error === undefined;
  return whyNot(found, "no xmllint: install Debian's package libxml2-utils");
}

function whyNot(present: boolean, why: string): string | undefined {
  if (present) return undefined;
  if (process.env.CI === "true") throw new Error(`in CI no test may be skipped, but: ${why}`);
  return why;
}
