// tier: all
// The library's documentation is made without a warning: no public name without a text, no link that leads nowhere.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { projectDirectory } from "../src/base/paths.js";

test("npm run docs", () => {
  const { status, stdout, stderr } = spawnSync("npm", ["run", "docs"], { cwd: projectDirectory, encoding: "utf8" });
  expect(`${stdout}${stderr}`).not.toMatch(/warning|error/);
  expect(status).toBe(0);
  const functions = join(projectDirectory, "docs/api/functions");
  for (const name of [
    "index.openTrace",
    "index.createTrace",
    "index.diff",
    "browser.openTrace",
    "browser.createMemoryTrace",
  ]) {
    expect(existsSync(join(functions, `${name}.html`))).toBe(true);
  }
  expect(readFileSync(join(functions, "index.openTrace.html"), "utf8")).toContain("Throws");
});
