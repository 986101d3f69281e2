// `npm test`: sets up, then checks style and types, then runs the quick tier: the tests that need no machine, then the lab's.
// `npm run test:all` (--all) runs both tiers. Other words go to vitest. The last line counts the tests, after the slowest ones.
// In CI (CI=true) a skipped test is a failed one.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run, setUp } from "./setup.mjs";

const total = { passed: 0, failed: 0, skipped: 0 };
/** @type {string[]} */
const skipped = [];
/** @type {{name: string, duration_ms: number}[]} */
const tests = [];
/** @type {{name: string, duration_ms: number}[]} */
const files = [];
const slowest = 10;
const everything = process.argv.includes("--all");
// even if this run ends early, the counting line comes, and counts that
process.once("exit", printTotal);

setUp();
run(process.execPath, ["node_modules/@biomejs/biome/bin/biome", "check", "."]);
run(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.test.json"]);
run(process.execPath, ["bin/mmiostrider.js", "install", "--tests"]);

const reports = mkdtempSync(join(tmpdir(), "mmiostrider-test-"));
for (const projects of [["unit", "whole"], ["lab"]]) {
  const report = join(reports, `${projects[0]}.json`);
  const times = join(reports, `${projects[0]}.times.json`);
  const result = spawnSync(
    process.execPath,
    [
      "node_modules/vitest/vitest.mjs",
      "run",
      ...projects.flatMap((project) => ["--project", project]),
      "--reporter=default",
      "--reporter=json",
      "--reporter=./scripts/file-times.mjs",
      `--outputFile.json=${report}`,
      ...process.argv.slice(2).filter((word) => word !== "--all"),
    ],
    {
      stdio: "inherit",
      env: {
        ...process.env,
        MMIOSTRIDER_TEST_TIER: everything ? "all" : "quick",
        MMIOSTRIDER_FILE_TIMES: times,
      },
    },
  );
  if (existsSync(times)) files.push(...JSON.parse(readFileSync(times, "utf8")));
  count(report, result.status === 0);
}
rmSync(reports, { recursive: true, force: true });

/**
 * Prints the last line: the number of tests by result. Sets the exit code.
 *
 * @param {number} exitCode
 */
function printTotal(exitCode) {
  const inCi = process.env.CI === "true";
  if (tests.length > 0) {
    printSlowest("tests", tests);
    printSlowest("files, with what all of their tests need", files);
    process.stdout.write("\n");
  }
  for (const name of skipped) process.stdout.write(`skipped${inCi ? ", which fails in CI" : ""}: ${name}\n`);
  if (inCi) {
    total.failed += total.skipped;
    total.skipped = 0;
  }
  if (exitCode !== 0 && total.failed === 0) total.failed++;
  const more = total.skipped > 0 ? `, ${total.skipped} skipped` : "";
  process.stdout.write(`${total.passed} passed, ${total.failed} failed${more}\n`);
  process.exitCode = total.failed === 0 ? 0 : 1;
}

/**
 * Prints the ten that took longest.
 *
 * @param {string} what
 * @param {{name: string, duration_ms: number}[]} all
 */
function printSlowest(what, all) {
  const sorted = [...all].sort((a, b) => b.duration_ms - a.duration_ms);
  process.stdout.write(`\nThe slowest ${what}:\n`);
  for (const { name, duration_ms } of sorted.slice(0, slowest)) {
    process.stdout.write(`${(duration_ms / 1000).toFixed(1).padStart(8)} s  ${name}\n`);
  }
}

/**
 * Adds a vitest run's report. A file that doesn't load counts as a failed test, as does a run that fails as a whole.
 *
 * @param {string} report
 * @param {boolean} succeeded
 */
function count(report, succeeded) {
  const before = total.failed;
  if (existsSync(report)) {
    /** @type {{testResults: {status: string, assertionResults: {status: string, fullName: string, duration?: number}[]}[]}} */
    const { testResults } = JSON.parse(readFileSync(report, "utf8"));
    for (const file of testResults) {
      const failedTests = file.assertionResults.filter((test) => test.status === "failed");
      if (file.status === "failed" && failedTests.length === 0) total.failed++;
      for (const test of file.assertionResults) {
        tests.push({ name: test.fullName, duration_ms: test.duration ?? 0 });
        if (test.status === "passed") total.passed++;
        else if (test.status === "failed") total.failed++;
        else {
          total.skipped++;
          skipped.push(test.fullName);
        }
      }
    }
  }
  if (!succeeded && total.failed === before) total.failed++;
}
