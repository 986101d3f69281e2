// Four projects: the unit tests beside the sources; those of whole programs and of the C code, which need no machine; the tests that
// boot machines, two at a time; and those that boot a kernel which takes half an hour to build, run by
// `npm run check:debug-kernel` alone.
import { readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defaultExclude, defineConfig } from "vitest/config";
import { onlyQuick, tierOf } from "./dev/test-support/tiers.js";

/** See dev/test-support/lab/in-lab.ts. */
const patience = Number(process.env.MMIOSTRIDER_TEST_PATIENCE ?? 1);

/** The test files that this run leaves out. */
const leftOut = !onlyQuick
  ? []
  : ["src", "dev", "test"].flatMap((folder) =>
      readdirSync(new URL(folder, import.meta.url), { recursive: true })
        .map((name) => `${folder}/${name}`)
        .filter(
          (file) => file.endsWith(".test.ts") && tierOf(fileURLToPath(new URL(file, import.meta.url))) !== "quick",
        ),
    );
const exclude = [...defaultExclude, ...leftOut];

export default defineConfig({
  test: {
    passWithNoTests: true,
    maxWorkers: "100%",
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "dev/**/*.test.ts"],
          exclude,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "whole",
          include: ["test/*.test.ts"],
          exclude,
          testTimeout: patience * 600_000,
          hookTimeout: patience * 600_000,
        },
      },
      {
        test: {
          name: "lab",
          include: ["test/lab/*.test.ts"],
          exclude,
          testTimeout: patience * 600_000,
          hookTimeout: patience * 600_000,
          // one waits where the other works: on two CPUs it takes 0.6 of the time
          maxWorkers: Math.min(2, availableParallelism()),
          maxConcurrency: 1,
        },
      },
      {
        test: {
          name: "debug",
          include: ["test/debug/*.test.ts"],
          exclude,
          testTimeout: 2_400_000,
          hookTimeout: 600_000,
          fileParallelism: false,
          maxWorkers: 1,
          maxConcurrency: 1,
        },
      },
    ],
  },
});
