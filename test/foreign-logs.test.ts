// tier: quick
// Logs that other programs wrote, through the commands: no command says more than the log does.
import { type SpawnSyncReturns, spawn, spawnSync } from "node:child_process";
import { createWriteStream, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
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
      [["report", "--filter", "write or time < 1", "timeless.log"], 2, "timeless.log has no times to select by"],
      [["stat", "--to", "300ms", "timeless.log"], 2, "timeless.log has no times to select by"],
      [["cut", "--from", "1", "-o", "part.mmt", "timeless.log"], 2, "timeless.log has no times to select by"],
      [["merge", "-o", "both.mmt", "timed.log", "timeless.log"], 1, "timeless.log failed: it has no times"],
      [["convert", "timeless.log", "timeless.json"], 1, "timeless.log: it has no times"],
    ] as const) {
      const { stderr, status } = mmiostrider(...words);
      expect([status, stderr]).toEqual([code, expect.stringContaining(why)]);
    }
    expect(readdirSync(directory)).not.toEqual(expect.arrayContaining(["part.mmt"]));
    expect(mmiostrider("report", "--from", "@3", "timeless.log").stdout).toContain("# 3 of 5 accesses,");
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

describe("a log that comes through a pipe", () => {
  /** Starts report, and returns what it printed by the time that `text` is in it. */
  function startReport(...words: string[]) {
    const child = spawn(process.execPath, [programFile, "report", ...words], { cwd: directory });
    const printed = { out: "", err: "" };
    child.stdout.on("data", (data) => {
      printed.out += String(data);
    });
    child.stderr.on("data", (data) => {
      printed.err += String(data);
    });
    const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
    const until = async (text: string) => {
      while (!printed.out.includes(text) && child.exitCode === null) await sleep(20);
      expect(printed.out).toContain(text);
    };
    return { child, printed, ended, until };
  }

  test("is printed as it comes, up to the line that can't be understood", async () => {
    const { child, printed, ended, until } = startReport("-");
    child.stdin.write(`VERSION 20070824\n${access(0x11)}\n${access(0x22)}\n${access(0x33).slice(0, 20)}`);
    await until("0x00000022");
    expect(printed.out).not.toContain("0x00000033");
    child.stdin.write(`${access(0x33).slice(20)}\n`);
    await until("0x00000033");
    child.stdin.end(`CPU:0 [LOST 9 EVENTS]\n${access(0x44)}\nR nonsense\n${access(0x55)}\n`);
    expect(await ended).toBe(1);
    expect(printed.out).toMatch(/LOST: 9 records.*\n.*0x00000044\n$/);
    expect(printed.err).toBe(
      "mmiostrider: standard input:7: this isn't how mmiotrace writes an access: \"nonsense\" isn't a decimal number\n",
    );
  });

  test("ends with what it lacks, and may be a named pipe", async () => {
    spawnSync("mkfifo", [join(directory, "trace_pipe")]);
    const { printed, ended, until } = startReport("trace_pipe");
    const pipe = createWriteStream(join(directory, "trace_pipe"));
    pipe.write(`cat-12 [001] d.h1. 101.000300: rwmmio_write: f+0x8/0x10 width=32 val=0x77 addr=0xffffffc008100018\n`);
    await until("0x00000077");
    pipe.end("CPU:1 [LOST EVENTS]\n");
    expect(await ended).toBe(3);
    expect(printed.out).toMatch(/^# 1 access, 0 and more lost, 0 escaped, 0 mappings, INCOMPLETE$/m);
    expect(printed.err).toContain("note: the addresses are the kernel's virtual ones");
    expect(printed.err).toContain("incomplete: events were lost in 1 place, and the log doesn't say how many");
  });
});

describe("a packed log that is cut", () => {
  const packed = gzipSync(Array.from({ length: 2_000 }, (_, at) => `${access(at)}\n`).join(""));

  test.each([["report"], ["stat"], ["convert", "--to", "csv"]])("%s gives what is whole", (...words) => {
    writeFileSync(join(directory, "cut.gz"), packed.subarray(0, packed.length - 1_000));
    const { stdout, stderr, status } = mmiostrider(...words, "cut.gz", ...(words[0] === "convert" ? ["-"] : []));
    expect([status, stderr]).toEqual([3, expect.stringContaining("incomplete: the packed file is cut")]);
    expect(stdout.length).toBeGreaterThan(300);
  });

  test("wherever it was cut", () => {
    for (const length_bytes of [packed.length - 1, packed.length - 8, 3_000, 1_000]) {
      writeFileSync(join(directory, "cut.gz"), packed.subarray(0, length_bytes));
      const { stdout, status } = mmiostrider("report", "cut.gz");
      const count = stdout.split("\n").filter((line) => line.includes(" R 4 ")).length;
      expect(status).toBe(3);
      expect(count).toBeGreaterThan((length_bytes / packed.length) * 1_500);
    }
    writeFileSync(join(directory, "cut.gz"), packed.subarray(0, 5));
    expect(mmiostrider("report", "cut.gz")).toMatchObject({
      status: 1,
      stderr: expect.stringContaining("file is cut"),
    });
  });
});

test("a log of libvirt's is read behind the start-up lines of many runs", () => {
  const start = "2026-07-07 03:16:20.001+0000: starting up libvirt version: 11.3.0, qemu version: 10.0.2";
  const argument = `-device '{"driver":"vfio-pci","host":"0000:01:00.0","id":"hostdev0","x-no-mmap":true}' \\`;
  const event = "2026-07-07T03:16:22.158759Z vfio_region_write  (0000:01:00.0:region0+0x28, 0x21cc000, 4)";
  const lines = Array.from({ length: 2_000 }, (_, at) => [start, argument, at < 1_000 ? "LC_ALL=C \\" : event]).flat();
  writeLog("vm.log", lines);
  const { stdout, stderr, status } = mmiostrider("stat", "vm.log");
  expect(stdout).toMatch(/^1,000 accesses in 0 ns: 0 reads \(0 B\), 1,000 writes/);
  expect([status, stderr]).toEqual([0, expect.stringContaining("5,000 lines of other kinds are left out")]);
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
