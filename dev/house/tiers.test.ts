// tier: quick
// Every test file declares its tier and is in exactly one of vitest's projects, so that no test is in none.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { projectDirectory } from "../../src/base/paths.js";
import { tierOf } from "../test-support/tiers.js";

const files = readdirSync(projectDirectory, { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && !["node_modules", "dist", ".git"].includes(entry.name))
  .flatMap(({ name: folder }) =>
    readdirSync(join(projectDirectory, folder), { recursive: true }).map((name) => join(folder, String(name))),
  )
  .filter((name) => /\.(test|spec)\.[cm]?[jt]sx?$/.test(name))
  .sort();

/** The files that vitest runs in a tier, as it lists them itself: one that two projects have is there twice. */
function listed(tier: string): string[] {
  const vitest = join(projectDirectory, "node_modules/vitest/vitest.mjs");
  const { stdout, stderr, status } = spawnSync(process.execPath, [vitest, "list", "--filesOnly", "--json"], {
    cwd: projectDirectory,
    env: { ...process.env, MMIOSTRIDER_TEST_TIER: tier },
    encoding: "utf8",
  });
  expect(status, stderr).toBe(0);
  const list: { file: string }[] = JSON.parse(stdout.slice(stdout.indexOf("[")));
  return list.map(({ file }) => relative(projectDirectory, file)).sort();
}

test("each test file's first line declares one tier", () => {
  expect(files.length).toBeGreaterThan(80);
  expect(files.filter((file) => tierOf(join(projectDirectory, file)) === undefined)).toEqual([]);
});

test("each is in one of vitest's projects; the quick tier has those that say so, and no others", () => {
  expect(listed("all")).toEqual(files);
  expect(listed("quick")).toEqual(files.filter((file) => tierOf(join(projectDirectory, file)) === "quick"));
});

test.each([
  ["// A test.\n", undefined],
  ["// A test.\n// tier: quick\n", undefined],
  ["// tier: quick\n// tier: all\n", undefined],
  ["// tier: slow\n", undefined],
  ["// tier: all\n// A test.\n", "all"],
])("a file that begins with %j is in %s", (content, tier) => {
  const folder = mkdtempSync(join(tmpdir(), "mmiostrider-tiers-"));
  try {
    const file = join(folder, "some.test.ts");
    writeFileSync(file, content);
    expect(tierOf(file)).toBe(tier);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
