// tier: quick
// The core builds against every kernel that Debian has for amd64, without any message of the compiler.
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { bothKernels, endKernels, labKernel } from "../../dev/test-support/lab/in-lab.js";
import { casesByTier } from "../../dev/test-support/tiers.js";
import { buildCore } from "../../src/capture/emulate/core-build.js";

test.each(
  casesByTier<string>({
    quick: bothKernels,
    rest: [
      ...bothKernels.flatMap((kernel) => ["-rt", "-cloud"].map((flavour) => `${kernel}${flavour}`)),
      ...endKernels.flatMap((kernel) => [kernel, `${kernel}-rt`]),
    ],
  }),
)("%s", async (name) => {
  const kernel = await labKernel(name);
  const core = await buildCore(kernel);
  const log = readFileSync(join(dirname(core.path), "build.log"), "utf8");
  expect(log).toMatch(/LD \[M\] .*mmiostrider\.ko/);
  expect(log.split("\n").filter((line) => /warning|error/i.test(line))).toEqual([]);
});
