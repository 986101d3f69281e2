// The tests that check:mutants runs against each mutant: the unit tests alone, for the others start programs that are compiled
// from the unchanged sources.
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: { include: ["src/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 120_000, maxWorkers: 1 },
});
