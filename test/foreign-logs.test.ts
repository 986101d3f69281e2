// tier: quick
// Logs that other programs wrote, through the commands: no command says more than the log does.
import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { programFile } from "../dev/test-support/program.js";
import { testData } from "../dev/test-support/test-data.js";
import { requireWritable } from "../src/cli/shared/record-options.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-foreign-"));
afterAll(() => rmSync(directory, { recursive: true }));

function mmiostrider(...words: string[]): SpawnSyncReturns<string> {
  const options = { encoding: "utf8", timeout: 60_000, maxBuffer: 64 << 20, cwd: directory } as const;
  return spawnSync(process.execPath, [programFile, ...words], options);
}

function writeLog(name: string, lines: readonly string[]): void {
  writeFileSync(join(directory, name), `${lines.join("\n")}\n`);
}

const access = (value: number) => `R 4 1.000010 1 0xfebc0008 0x${value.toString(16)} 0x0 0`;

describe("a log of a ring that was overwritten", () => {
  beforeAll(() => {
    writeLog("log.txt", [
      "# tracer: mmiotrace",
      "#",
      "# entries-in-buffer/entries-written: 2/57   #P:1",
      access(1),
      access(2),
    ]);
    writeLog("other.txt", [access(3)]);
  });

  test.each([
    ["report", "log.txt"],
    ["report", "--fold", "log.txt"],
    ["report", "--format", "jsonl", "log.txt"],
    ["report", "--from", "1", "log.txt"],
    ["stat", "log.txt"],
    ["stat", "--json", "log.txt"],
    ["grep", "nothing", "log.txt"],
    ["cut", "--from", "1", "-o", "cut.mmt", "log.txt"],
    ["merge", "-o", "merged.mmt", "log.txt", "other.txt"],
    ["merge", "-o", "merged.mmt", "other.txt", "log.txt"],
    ["convert", "log.txt", "log.mmt"],
    ["convert", "log.txt", "log.csv"],
    ["convert", "log.txt", "log.parquet"],
    ["report", "log.mmt"],
    ["report", "cut.mmt"],
    ["report", "merged.mmt"],
  ])("%s %s %s %s: exit code 3, and the reason", (...words) => {
    const { stdout, stderr, status } = mmiostrider(...words);
    expect([status, stderr]).toEqual([3, expect.stringContaining("incomplete: ")]);
    expect(stderr).toContain("55 events were lost when the log was made");
    expect(stdout).not.toMatch(/, complete$/m);
  });

  test("report shows the loss in its place", () => {
    const { stdout } = mmiostrider("report", "log.txt");
    const lines = stdout.trimEnd().split("\n");
    expect(lines[2]).toMatch(/ -- LOST: 55 records, as the log says$/);
    expect(lines).toHaveLength(6);
    expect(lines.at(-1)).toBe("# 2 accesses, 55 lost, 0 escaped, 0 mappings, INCOMPLETE");
  });
});

describe("a log without times", () => {
  const line = "memory_region_ops_read cpu 0 mr 0x5 addr 0xfebc0008 value 0x1 size 4 name 'nic'";
  beforeAll(() => writeLog("timeless.log", Array<string>(5).fill(line)));

  test("is printed, counted and folded without any", () => {
    const noTime = /\d+(?:\.\d+)? (?:ns|µs|ms|s)\b|\d\.\d{6}/;
    for (const words of [["report"], ["report", "--fold"], ["stat"], ["report", "--format", "jsonl"], ["grep", "R"]]) {
      const { stdout, status } = mmiostrider(...words, "timeless.log");
      expect([status, stdout.length > 50]).toEqual([0, true]);
      expect(stdout).not.toMatch(noTime);
      expect(stdout).not.toContain('"time_s"');
    }
    expect(mmiostrider("report", "--fold", "timeless.log").stdout).toContain("×5, always the same");
    expect(JSON.parse(mmiostrider("stat", "--json", "timeless.log").stdout)).toMatchObject({
      first_s: null,
      between_s: null,
      polls: [{ reads: 5, duration_s: null }],
    });
  });

  test("nothing that needs times is done with it", () => {
    writeLog("timed.log", [`7@1700000000.000001:${line}`]);
    for (const [words, code, why] of [
      [["report", "--from", "3", "timeless.log"], 2, "timeless.log has no times to select by"],
      [["stat", "--to", "300ms", "timeless.log"], 2, "timeless.log has no times to select by"],
      [["cut", "--from", "1", "-o", "part.mmt", "timeless.log"], 2, "timeless.log has no times to select by"],
      [["merge", "-o", "both.mmt", "timed.log", "timeless.log"], 1, "timeless.log failed: it has no times"],
      [["convert", "timeless.log", "timeless.json"], 1, "timeless.log has no times"],
    ] as const) {
      const { stderr, status } = mmiostrider(...words);
      expect([status, stderr]).toEqual([code, expect.stringContaining(why)]);
    }
    expect(readdirSync(directory)).not.toEqual(expect.arrayContaining(["part.mmt"]));
    expect(mmiostrider("report", "--from", "@3", "timeless.log").stdout).toContain("# 3 accesses,");
  });

  test("isn't merged with one of another clock", () => {
    writeLog("boot.txt", [access(1)]);
    const { stderr, status } = mmiostrider("merge", "-o", "both.mmt", "timed.log", "boot.txt");
    expect([status, stderr]).toEqual([1, expect.stringContaining("only one of them has a wall clock")]);
  });

  test("comes back from mmiotrace's form as it was", () => {
    const { stderr } = mmiostrider("convert", "timeless.log", "timeless.txt");
    expect(stderr).toContain("0.000000 stands for none");
    expect(mmiostrider("stat", "timeless.txt").stdout).toMatch(/^5 accesses: /);
  });
});

test("a log of which nothing is understood is no empty trace", () => {
  writeLog("nothing.log", ["2026-07-07 03:16:20.001+0000: starting up libvirt version: 11.3.0", "LC_ALL=C \\"]);
  const { stderr, status } = mmiostrider("convert", "--from", "vfio", "nothing.log", "nothing.mmt");
  expect([stderr, status]).toEqual(["mmiostrider: nothing.log: there is no vfio_region event in it\n", 1]);
  expect(readdirSync(directory)).not.toContain("nothing.mmt");
});

test("a name that promises gzip is refused where none would come", () => {
  const trace = testData("e1000.mmt");
  for (const words of [
    ["convert", trace, "out.parquet.gz"],
    ["convert", testData("e1000-mmiotrace.txt.gz"), "out.mmt.gz"],
    ["cut", "--to", "@9", trace, "-o", "out.mmt.gz"],
    ["merge", trace, trace, "-o", "out.mmt.GZ"],
  ]) {
    const { stderr, status } = mmiostrider(...words);
    expect([stderr, status]).toEqual([expect.stringContaining(" is packed already: "), 2]);
  }
  expect(readdirSync(directory).filter((name) => name.startsWith("out."))).toEqual([]);
  expect(() => requireWritable(join(directory, "out.mmt.gz"))).toThrow(" is packed already: ");
});
