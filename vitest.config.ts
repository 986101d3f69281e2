// Four projects: the unit tests beside the sources; those of whole programs and of the C code, which need no machine; the tests that
// boot machines, two at a time; and those that boot a kernel which takes half an hour to build, run by
// `npm run check:debug-kernel` alone.
import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** See test/lab/in-lab.ts. */
const patience = Number(process.env.MMIOSTRIDER_TEST_PATIENCE ?? 1);

export default defineConfig({
  test: {
    passWithNoTests: true,
    maxWorkers: "100%",
    projects: [
      {
        test: {
          name: "unit",
          include: ["src/**/*.test.ts", "dev/**/*.test.ts"],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: "whole",
          include: ["test/*.test.ts"],
          testTimeout: patience * 600_000,
          hookTimeout: patience * 600_000,
        },
      },
      {
        test: {
          name: "lab",
          include: ["test/lab/*.test.ts"],
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
