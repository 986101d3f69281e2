// tier: quick
// Runs the fuzzing targets over their kept corpora, with both compilers and their sanitizers; the search itself is
// `npm run check:fuzz`.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildFuzzTarget, clangPackages, fuzzTargets, readCorpus } from "../dev/core-proof/fuzzing.js";
import { installTools } from "../src/lab/debian.js";

const scratch = mkdtempSync(join(tmpdir(), "mmiostrider-fuzz-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const compilers = ["gcc", "clang"];
const installTimeout_ms = 10 * 60_000;
beforeAll(() => installTools(clangPackages, (line) => process.stderr.write(`${line}\n`)), installTimeout_ms);

for (const target of fuzzTargets) {
  test.each(compilers)(
    `the corpus of ${target.name} passes, built with %s and sanitizers`,
    { timeout: 120_000 },
    (compiler) => {
      const program = buildFuzzTarget(target, compiler, "stdin", mkdtempSync(join(scratch, "build-")));
      const inputs = readCorpus(target);
      const output = execFileSync(program, {
        input: inputs.map((input) => `${input.toString("hex")}\n`).join(""),
        encoding: "utf8",
      });
      expect(output).toBe(`${inputs.length} inputs\n`);
    },
  );
}
