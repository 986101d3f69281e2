// tier: quick
// Results that are kept: read again, and gone on with only by the same core, kernel and CPUs.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { UserError } from "../../src/base/errors.js";
import { canGoOn, type Evaluation, keepResults, keptResults } from "./evaluation.js";

const evaluation: Evaluation = {
  ...{ layout: 1, core: "/core/a.ko", kernel: "debian:6.1", release: "6.1.0-1-amd64", cpus: 2 },
  ...{ begun: "2026-11-30T23:10:00.000Z", finished: null, processors: 2, processor: "p", qemu: "7.2.1" },
  ...{ drivers: {}, costs: null, graphics: null },
};

test("kept results are read again; none, another layout's and broken ones are told", async () => {
  const folder = mkdtempSync(join(tmpdir(), "mmiostrider-evaluation-"));
  try {
    const file = join(folder, "new", "results.json");
    expect(keptResults(file)).toBeUndefined();
    await keepResults(file, evaluation);
    await keepResults(file, { ...evaluation, cpus: 4 });
    expect(keptResults(file)).toEqual({ ...evaluation, cpus: 4 });
    expect(readdirSync(join(folder, "new"))).toEqual(["results.json"]);
    writeFileSync(file, JSON.stringify({ ...evaluation, layout: 0 }));
    expect(keptResults(file)).toBeUndefined();
    writeFileSync(file, "{");
    expect(() => keptResults(file)).toThrow(UserError);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("only an unfinished evaluation of the same machine goes on", () => {
  const now = { core: "/core/a.ko", release: "6.1.0-1-amd64", cpus: 2 };
  expect(canGoOn(evaluation, now)).toBe(true);
  const others = [{ core: "/core/b.ko" }, { release: "6.1.0-2-amd64" }, { cpus: 4 }];
  expect(others.map((other) => canGoOn(evaluation, { ...now, ...other }))).toEqual([false, false, false]);
  expect(canGoOn({ ...evaluation, finished: "2026-12-01T00:00:00.000Z" }, now)).toBe(false);
});
