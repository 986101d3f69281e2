// The tests that check:mutants runs against each mutant: the unit tests alone, for the others start programs that are compiled
// from the unchanged sources, and not the tests with random input, which notice a change by chance, after long. A mutant is tried until
// the first test fails, so those that may fail soon come first.
import { dirname, relative } from "node:path";
import { defaultExclude, defineConfig } from "vitest/config";
import { BaseSequencer, type Reporter, type TestModule, type TestSpecification, type Vitest } from "vitest/node";
import { notLoaded } from "./mutants-reporter.js";

/** Files with longer tests come last. */
const long_ms = 2_000;

class SoonFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { cache, config } = this.ctx;
    const [changed = config.root] = config.related ?? [];
    const keyed = files.map((file) => {
      const path = relative(config.root, file.moduleId);
      const duration_ms = cache.getFileTestResults(`${file.project.name}:${path}`)?.duration ?? 0;
      const steps = relative(dirname(changed), file.moduleId).split("/").length;
      return { file, key: [duration_ms > long_ms ? 1 : 0, steps, duration_ms] as const };
    });
    return keyed.sort(({ key: a }, { key: b }) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]).map(({ file }) => file);
  }
}

/**
 * Makes a test file that can't be loaded an error of the run. Stryker looks at single tests alone, and such a file has none: the mutant
 * would count as one that nobody noticed.
 */
class LoadErrors implements Reporter {
  private vitest: Vitest | undefined;

  onInit(vitest: Vitest): void {
    this.vitest = vitest;
  }

  onTestModuleEnd(file: TestModule): void {
    if (file.state() !== "failed" || [...file.children.allTests()].length > 0) return;
    this.vitest!.state.catchError(new Error(`${notLoaded} ${file.relativeModuleId}`), "Unhandled Error");
  }
}

export default defineConfig({
  test: {
    reporters: [new LoadErrors()],
    include: ["src/**/*.test.ts"],
    exclude: [...defaultExclude, "src/**/*fuzz.test.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 1,
    sequence: { sequencer: SoonFirst },
  },
});
