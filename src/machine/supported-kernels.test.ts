// tier: quick
// The oldest kernel supported, as `doctor` tells it.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { projectDirectory } from "../base/paths.js";
import { kernelAgeCheck, oldestSeries } from "./supported-kernels.js";

test.each([
  ["4.19.0-27-amd64", "unknown", "4.19.0-27-amd64; 5.10 is the oldest kernel supported"],
  ["5.4.0-200-generic", "unknown", "5.4.0-200-generic; 5.10 is the oldest kernel supported"],
  ["5.10.0-32-amd64", "good", "5.10.0-32-amd64; supported from 5.10 on"],
  ["6.1.0-57-amd64", "good", "6.1.0-57-amd64; supported from 5.10 on"],
  ["7.3.4+deb13-amd64", "good", "7.3.4+deb13-amd64; supported from 5.10 on"],
])("%s", (release, state, found) => {
  expect(kernelAgeCheck(release)).toEqual({ what: "kernel", state, found });
});

test.each(["README.md", "docs/lab.md"])("%s names it", (file) => {
  const text = readFileSync(join(projectDirectory, file), "utf8");
  expect(text).toContain(`from ${oldestSeries} on`);
});
