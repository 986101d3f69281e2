// tier: quick
// report and verify as commands, and a really full disk: child processes of the compiled program.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeUpSummary } from "../dev/test-support/made-up-records.js";
import { programFile } from "../dev/test-support/program.js";
import { testData } from "../dev/test-support/test-data.js";
import { projectDirectory } from "../src/base/paths.js";
import { importMmiotrace } from "../src/trace/import/mmiotrace.js";
import { createTrace } from "../src/trace/node/create-trace.js";
import { openTrace } from "../src/trace/node/file-source.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-commands-"));
afterAll(() => rmSync(directory, { recursive: true }));
const trace = join(directory, "e1000.mmt");
const log = join(directory, "truth.log");
const recorded = gunzipSync(readFileSync(testData("e1000-mmiotrace.txt.gz"))).toString();

function mmiostrider(args: string[], input?: Uint8Array) {
  const options = {
    encoding: "utf8",
    ...(input === undefined ? {} : { input }),
    timeout: 60_000,
    maxBuffer: 64 << 20,
  } as const;
  return spawnSync(process.execPath, [programFile, ...args], options);
}

beforeAll(async () => {
  const imported = importMmiotrace(recorded);
  const writer = await createTrace(trace, imported.header);
  await writer.append(imported.records);
  await writer.close({ ...madeUpSummary, accesses: imported.accesses, mappings: 1 });
  writeFileSync(log, gunzipSync(readFileSync(testData("e1000-truth.log.gz"))));
});

describe("report", () => {
  test("prints a line an access and what there is in all", () => {
    const { stdout, stderr, status } = mmiostrider(["report", trace]);
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    expect(lines.filter((line) => /^ *\d+\.\d{6} {5}[RW] 4 {3}0000:00:03\.0 BAR0\+0x/.test(line)).length).toBe(13_974);
    expect(lines.at(-1)).toBe("# 13,974 accesses, 0 lost, 0 escaped, 1 mapping, nothing known to be missing");
  });

  test("--format mmiotrace prints the kernel's text again, from a pipe too", () => {
    expect(mmiostrider(["report", "--format", "mmiotrace", trace]).stdout).toBe(recorded);
    expect(mmiostrider(["report", "--format", "mmiotrace", "-"], readFileSync(trace)).stdout).toBe(recorded);
  });

  test("a cut trace is printed as far as it goes, and exits with 3", () => {
    const cut = join(directory, "cut.mmt");
    writeFileSync(cut, readFileSync(trace));
    truncateSync(cut, readFileSync(cut).length - 300);
    const { stdout, stderr, status } = mmiostrider(["report", cut]);
    expect(status).toBe(3);
    expect(stderr).toMatch(/^mmiostrider: .*cut\.mmt: incomplete: the trace is cut at byte \d+: .*\n$/);
    expect(stdout).toContain("INCOMPLETE");
  });

  test("one that is cut elsewhere is told in one line, wherever that is", () => {
    const bytes = readFileSync(trace);
    const cut = join(directory, "shorter.mmt");
    const places = [0, 1, 8, 12, 16, 40, 80, 200, 1000, bytes.length >> 1];
    let wholeHeaders = 0;
    for (const place of places) {
      writeFileSync(cut, bytes.subarray(0, place));
      const { stderr, status } = mmiostrider(["report", cut]);
      const [line, advice, ...more] = stderr.trimEnd().split("\n");
      expect(line, `cut at ${place}`).toMatch(/^mmiostrider: .*shorter\.mmt: (?:at byte|incomplete:|empty)/);
      expect([advice?.slice(0, 2) ?? "  ", more]).toEqual(["  ", []]);
      // without its header nothing can be printed
      expect([1, 3]).toContain(status);
      if (status === 3) wholeHeaders++;
      const verified = mmiostrider(["verify", cut, "--truth", log]);
      expect(verified.status, `cut at ${place}`).toBe(1);
    }
    expect(wholeHeaders).toBeGreaterThanOrEqual(1);
    // the index at the very end holds only places
    writeFileSync(cut, bytes.subarray(0, bytes.length - 1));
    const { stdout, stderr, status } = mmiostrider(["report", cut]);
    expect([stdout, stderr, status]).toEqual([mmiostrider(["report", trace]).stdout, "", 0]);
  });

  test("a file that is no trace, or doesn't exist, is reported in one line", () => {
    const other = mmiostrider(["report", process.execPath]);
    expect(other.status).toBe(1);
    expect(other.stderr).toMatch(
      /^mmiostrider: \S+: at byte 0: this is no trace of mmiostrider's, and no log of mmiotrace, .*\n$/,
    );
    const missing = mmiostrider(["report", join(directory, "nothing")]);
    expect(missing.status).toBe(1);
    expect(missing.stderr.trimEnd().split("\n").length).toBe(1);
    expect(mmiostrider(["report", "--format", "morse", trace]).status).toBe(2);
  });

  test("a reader that goes away ends it quietly", () => {
    const command = `${process.execPath} ${programFile} report ${trace} | head -n 3`;
    const { stdout, stderr, status } = spawnSync("bash", ["-o", "pipefail", "-c", command], { encoding: "utf8" });
    expect([stdout.split("\n").length, stderr, status]).toEqual([4, "", 0]);
  });
});

describe("verify", () => {
  test("exits with 0 when identical, with 1 when not", () => {
    const same = mmiostrider(["verify", trace, "--truth", log]);
    expect(same.stdout).toContain("identical: 13,974 accesses, in the order of all regions\n");
    expect(same.status).toBe(0);
    const changed = join(directory, "changed.log");
    writeFileSync(changed, readFileSync(log, "utf8").replace("value 0x80080783", "value 0x80080782"));
    const different = mmiostrider(["verify", trace, "--truth", changed]);
    expect(different.status).toBe(1);
    expect(different.stdout).toContain("NOT identical: 1 access differs");
    expect(JSON.parse(mmiostrider(["verify", trace, "--truth", changed, "--json"]).stdout).identical).toBe(false);
  });

  test("a log that isn't there is one line", () => {
    const { status, stderr } = mmiostrider(["verify", trace, "--truth", join(directory, "nothing")]);
    expect([status, stderr.trimEnd().split("\n").length]).toEqual([1, 1]);
    expect(mmiostrider(["verify", trace]).status).toBe(2);
  });
});

test("a full disk is told in one line, and what was written before can be read", { timeout: 60_000 }, async () => {
  const script = join(directory, "fill.mjs");
  const module = (name: string) => JSON.stringify(join(projectDirectory, "dist", name));
  writeFileSync(
    script,
    `import { copyFileSync } from "node:fs";
import { createTrace } from ${module("src/trace/node/create-trace.js")};
import { madeUpHeader, madeUpRecords } from ${module("dev/test-support/made-up-records.js")};
const writer = await createTrace("small/trace.mmt", madeUpHeader());
const records = madeUpRecords(200_000, 5);
try {
  for (let at = 0; at < records.length; at += 64 * 1000) {
    await writer.append(records.subarray(at, at + 64 * 1000));
    await writer.flush();
  }
} catch (error) {
  console.log(error.name + ": " + error.message);
}
copyFileSync("small/trace.mmt", "kept.mmt");
`,
  );
  const command = `mkdir small && mount -t tmpfs -o size=512k none small && exec ${process.execPath} ${script}`;
  // root needs no user namespace to mount, and can't have one everywhere
  const mapped = process.getuid?.() === 0 ? [] : ["--map-root-user"];
  const shell = ["--mount", ...mapped, "sh", "-c", command];
  const { stdout, stderr } = spawnSync("unshare", shell, { cwd: directory, encoding: "utf8", timeout: 60_000 });
  expect(stderr).toBe("");
  expect(stdout).toBe(
    "UserError: writing to small/trace.mmt failed: the disk is full; what was written before can be read\n",
  );
  const reader = await openTrace(join(directory, "kept.mmt"));
  expect(reader.records).toBeGreaterThan(3_000);
  expect(reader.damage?.what).toBe("the trace ends without its summary");
  let events = 0;
  for await (const batch of reader.batches()) for (const _ of batch.events) events += 1;
  expect(events).toBe(reader.events);
  await reader.close();
});
