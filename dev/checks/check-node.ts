// `npm run check:node`: runs the unit tests and the tests of whole programs with each version of Node that is supported, and prints
// a table. Node comes from npm's own package `node`.
import { chmodSync, copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { UserError } from "../../src/base/errors.js";
import { cacheDirectory, projectDirectory } from "../../src/base/paths.js";
import { runTool } from "../../src/base/run-tool.js";
import { countText } from "../../src/base/units.js";
import { ExitCode } from "../../src/cli/shared/exit-code.js";
import { publishDirectory } from "../../src/lab/publish.js";
import { runCheck, workFolder } from "./run-check.js";

const versions = ["20", "22", "24", "26"];
const projects = ["unit", "whole"];
const install_ms = 300_000;
const tests_ms = 3600_000;

const usage = `usage: npm run check:node -- [--node VERSION]... [--project NAME]... [--all]
  --node VERSION  only this version, as npm takes it; may be repeated (default: ${versions.join(", ")})
  --project NAME  only unit or whole; may be repeated (default: both)
  --all           both tiers of the tests, not only the quick one`;

const say = (line: string) => process.stderr.write(`${line}\n`);

const widths = [12, 7, 7, 7, 7];
const line = (cells: readonly string[]) => `| ${cells.map((cell, n) => cell.padEnd(widths[n]!)).join(" | ")} |\n`;

/** Returns the folder with this version's program `node`, in the cache. Throws UserError. */
async function prepareNode(version: string): Promise<string> {
  const place = join(cacheDirectory("node"), version);
  const program = "node_modules/node/bin/node";
  if (!existsSync(join(place, program))) {
    rmSync(place, { recursive: true, force: true });
    say(`Installing Node ${version} into the cache`);
    await publishDirectory(place, async (work) => {
      writeFileSync(join(work, "package.json"), '{ "private": true }\n');
      const words = ["install", "--no-audit", "--no-fund", `node@${version}`];
      const installed = await runTool("npm", words, { directory: work, timeout_ms: install_ms });
      if (installed.code === 0 && existsSync(join(work, program))) return;
      const why = installed.stderr.trim().split("\n").at(-1);
      throw new UserError(`installing Node ${version} failed: ${why}`, {
        advice: `npm install node@${version} says more`,
      });
    });
  }
  return dirname(join(place, program));
}

async function bundle(node: string): Promise<void> {
  const made = await runTool(node, ["scripts/bundle.mjs"], { directory: projectDirectory, timeout_ms: install_ms });
  if (made.code !== 0) throw new UserError(`bundling the program with ${node} failed: ${made.stderr.trim()}`);
}

interface Result {
  passed: number;
  failed: number;
  skipped: number;
  failures: string[];
}

/** Runs a project's tests with the Node in `folder`. */
async function runTests(folder: string, project: string, tier: string): Promise<Result> {
  const work = mkdtempSync(join(tmpdir(), "mmiostrider-node-"));
  try {
    const report = join(work, "report.json");
    const words = ["run", "--project", project, "--reporter=json", `--outputFile=${report}`];
    await runTool(join(folder, "node"), ["node_modules/vitest/vitest.mjs", ...words], {
      directory: projectDirectory,
      timeout_ms: tests_ms,
      environment: { PATH: `${folder}:${process.env.PATH}`, MMIOSTRIDER_TEST_TIER: tier },
    });
    if (!existsSync(report)) return { passed: 0, failed: 1, skipped: 0, failures: ["vitest wrote no report"] };
    return resultIn(JSON.parse(readFileSync(report, "utf8")) as VitestReport);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

interface VitestReport {
  numPassedTests: number;
  numPendingTests: number;
  testResults: {
    name: string;
    status: string;
    message: string;
    assertionResults: { status: string; fullName: string }[];
  }[];
}

function resultIn({ numPassedTests, numPendingTests, testResults }: VitestReport): Result {
  const failures = testResults.flatMap(({ name, status, message, assertionResults }) => {
    const failed = assertionResults
      .filter((one) => one.status === "failed")
      .map(({ fullName }) => `${name}: ${fullName}`);
    // a file that can't even be loaded has no tests
    return failed.length === 0 && status === "failed" ? [`${name}: ${message.split("\n")[0]}`] : failed;
  });
  return { passed: numPassedTests, failed: failures.length, skipped: numPendingTests, failures };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      node: { type: "string", multiple: true, default: versions },
      project: { type: "string", multiple: true, default: projects },
      all: { type: "boolean", default: false },
    },
  });
  process.stdout.write(line(["Node", "tests", "passed", "failed", "skipped"]));
  process.stdout.write(line(widths.map((width) => "-".repeat(width))));
  let failed = 0;
  for (const version of values.node) {
    // a test starts the program as an ordinary user, who may not look into the cache
    const folder = workFolder("node");
    chmodSync(folder, 0o755);
    copyFileSync(join(await prepareNode(version), "node"), join(folder, "node"));
    const { stdout } = await runTool(join(folder, "node"), ["--version"]);
    // the program is kept with the code that this V8 makes of it
    await bundle(join(folder, "node"));
    for (const project of values.project) {
      const result = await runTests(folder, project, values.all ? "all" : "quick");
      const counts = [result.passed, result.failed, result.skipped].map((count) => countText(count));
      process.stdout.write(line([stdout.trim(), project, ...counts]));
      for (const failure of result.failures) process.stdout.write(`    ! ${failure}\n`);
      failed += result.failed + Number(result.passed === 0);
    }
  }
  await bundle(process.execPath);
  if (failed > 0) process.exitCode = ExitCode.failed;
}

await runCheck("check:node", usage, main);
