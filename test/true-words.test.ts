// tier: quick
// The reading commands' statements about logs that say little, that contradict each other, or that options don't fit: none may say
// more than is so. Child processes of the compiled program.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { madeUpHeader, madeUpSummary } from "../dev/test-support/made-up-records.js";
import { bar, Recording } from "../dev/test-support/made-up-truth.js";
import { programFile } from "../dev/test-support/program.js";
import { rnndbDirectory, whyNoRnndb } from "../dev/test-support/rnndb.js";
import { testData } from "../dev/test-support/test-data.js";
import type { TraceHeader } from "../src/trace/header.js";
import { createTrace } from "../src/trace/node/create-trace.js";
import { RecordKind } from "../src/trace/record.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-words-"));
afterAll(() => rmSync(directory, { recursive: true }));
const trace = testData("e1000.mmt");

function mmiostrider(...parameters: string[]) {
  const options = { encoding: "utf8", timeout: 60_000, maxBuffer: 64 << 20, cwd: directory } as const;
  return spawnSync(process.execPath, [programFile, ...parameters], options);
}

/** Writes a file; returns its path. */
function file(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

/** Makes a log of mmiotrace's: lines such as `R 4 0xd0000000 0x1`, a microsecond apart. */
function log(name: string, ...lines: string[]): string {
  const whole = lines.map((line, at) =>
    /^[RW] /.test(line) ? line.replace(/^(. \d+) (.*)$/, `$1 1.${String(at).padStart(6, "0")} 1 $2 0x0 0`) : line,
  );
  return file(name, `VERSION 20070824\n${whole.join("\n")}\n`);
}

const lastLine = (text: string) => text.trimEnd().split("\n").at(-1);

describe("diff", () => {
  const first = log("diff-a.txt", "R 4 0xd0000000 0x1", "W 4 0xd0000004 0x1", "R 4 0xd0000008 0x1");

  test("without devices and mappings finds what differs", () => {
    const second = log("diff-b.txt", "R 4 0xd0000000 0x1", "W 4 0xd0000004 0x2", "R 4 0xd0000008 0x1");
    const { stdout, status } = mmiostrider("diff", first, second);
    expect([lastLine(stdout), status]).toEqual(["DIFFERENT", 1]);
    expect(stdout).toMatch(/^physical addresses +3 +1 +0 +0 +0$/m);
    expect(stdout).toMatch(/^- @1 1\.000001 W 4 physical addresses 0xd0000004 +0x00000001$/m);
  });

  test("of nothing with nothing is no sameness", () => {
    const nothing = log("diff-nothing.txt", "MAP 1.000000 1 0xd0000000 0xffffc90000000000 0x1000 0x0 0");
    const { stdout, status } = mmiostrider("diff", nothing, nothing);
    expect([stdout, status]).toEqual(["nothing was compared: neither trace has an access\n", 1]);
    const filtered = mmiostrider("diff", "--filter", "value == 77", first, first);
    expect([filtered.stdout, filtered.status]).toEqual([
      "nothing was compared: neither trace has an access that fits the filter\n",
      1,
    ]);
    const json = mmiostrider("diff", "--json", nothing, nothing);
    expect([JSON.parse(json.stdout), json.status]).toMatchObject([{ same: false, compared: 0 }, 1]);
    expect(mmiostrider("diff", nothing, first)).toMatchObject({
      status: 1,
      stdout: expect.stringContaining("DIFFERENT"),
    });
  });

  test("says which values it didn't compare, and never the same of what it counts as different", () => {
    const second = log("diff-c.txt", "R 4 0xd0000000 0x3", "W 4 0xd0000004 0x1", "R 4 0xd0000008 0x1");
    const words = mmiostrider("diff", first, second);
    expect([lastLine(words.stdout), words.status]).toEqual([
      "the same, but for the values of 1 read (--reads counts them)",
      0,
    ]);
    const reads = mmiostrider("diff", "--reads", first, second);
    expect([lastLine(reads.stdout), reads.status]).toEqual(["DIFFERENT", 1]);
    const json = mmiostrider("diff", "--reads", "--json", first, second);
    expect([JSON.parse(json.stdout).same, json.status]).toEqual([false, 1]);
    const masked = mmiostrider("diff", "--reads", "--mask", "0xd0000000=2", first, second);
    expect([lastLine(masked.stdout), masked.status]).toEqual([
      "the same, but for 1 value that --mask or --like-a may let differ",
      0,
    ]);
  });

  test("a mask or a like run without effect is wrong usage", () => {
    const mask = mmiostrider("diff", "--mask", "NOREG", first, first);
    expect([mask.stdout, mask.status]).toEqual(["", 2]);
    expect(mask.stderr).toContain("neither trace has a compared access to a register called NOREG");
    const other = log("diff-d.txt", "R 4 0xe0000000 0x3");
    const like = mmiostrider("diff", "--like-a", other, first, first);
    expect([like.stdout, like.status]).toEqual(["", 2]);
    expect(like.stderr).toContain("diff-d.txt has no access in common with");
  });

  test("counts exactly what it doesn't list", () => {
    const many = (value: string) =>
      Array.from({ length: 60 }, (_, at) => `W 4 0x${(0xd0000000 + 4 * at).toString(16)} ${value}`);
    const [one, two] = [log("diff-e.txt", ...many("0x1")), log("diff-f.txt", ...many("0x2"))];
    expect(mmiostrider("diff", one, two).stdout).toContain("\n… and 10 more (--top 0 lists all)\n");
    expect(mmiostrider("diff", "--top", "0", one, two).stdout).not.toContain("more");
    const lots = (value: string) =>
      Array.from({ length: 10_020 }, (_, at) => `W 4 0x${(0xd0000000 + 4 * at).toString(16)} ${value}`);
    const [less, more] = [log("diff-g.txt", ...lots("0x1")), log("diff-h.txt", ...lots("0x2"))];
    expect(mmiostrider("diff", less, more).stdout).toContain("\n… and 9,970 more (--top 0 lists 10,000)\n");
    expect(mmiostrider("diff", "--top", "0", less, more).stdout).toContain(
      "\n… and 20 more: at most 10,000 are listed\n",
    );
  });

  test("takes a mask as the list names the place, where no device is known", () => {
    const map = "MAP 1.000000 1 0xd0000000 0xffffc90000100000 0x1000 0x0 0";
    const [one, two] = ["0x1", "0x2"].map((value) => log(`masked-${value}.txt`, map, `W 4 0xd0000008 ${value}`));
    const { stdout } = mmiostrider("diff", one!, two!);
    const place = /^- @\d+ \S+ W 4 (mapping \S+ \S+) +0x00000001$/m.exec(stdout)![1]!;
    expect(place).toBe("mapping 0xd0000000+0x1000 +0x8");
    for (const mask of [place, "+0x8", `${place}=0x3`]) {
      expect(mmiostrider("diff", "--mask", mask, one!, two!).status, mask).toBe(0);
    }
    expect(mmiostrider("diff", "--mask", `${place}=0x1`, one!, two!).status).toBe(1);
    expect(mmiostrider("diff", "--mask", "mapping 0xd0000000+0x1000 +0x4", one!, two!).status).toBe(2);
    const address = "physical addresses 0xd0000004";
    const [bare, other] = ["0x1", "0x2"].map((value) => log(`bare-${value}.txt`, `W 4 0xd0000004 ${value}`));
    expect(mmiostrider("diff", "--mask", address, bare!, other!).status).toBe(0);
  });

  test("compares no made-up addresses", () => {
    const vfio = (name: string, device: string, value: string) =>
      file(name, `vfio_region_write  (${device}:region0+0x10, ${value}, 4)\n`);
    const one = vfio("vfio-a.log", "0000:02:00.0", "0x1");
    const { stdout, status } = mmiostrider("diff", first, one);
    expect([lastLine(stdout), status]).toEqual(["DIFFERENT", 1]);
    expect(stdout).toMatch(/^physical addresses +0 +0 +0 +3 +0 +only A accesses it$/m);
    expect(stdout).toMatch(/^0000:02:00\.0 +0 +0 +0 +0 +1 +only B accesses it$/m);
    expect(stdout).toMatch(/^\+ @0 W 4 0000:02:00\.0 BAR0\+0x10 +0x00000001$/m);
    expect(mmiostrider("diff", one, vfio("vfio-b.log", "0000:02:00.0", "0x1")).status).toBe(0);
    const json = JSON.parse(mmiostrider("diff", "--json", one, first).stdout);
    expect(json.devices.map(({ by, missing, extra }: Record<string, unknown>) => [by, missing, extra])).toEqual([
      ["bar", 1, 0],
      ["address", 0, 3],
    ]);
  });

  test("says in its help how many differences it lists at most", () => {
    expect(mmiostrider("diff", "--help").stdout.replaceAll(/\s+/g, " ")).toContain(
      "0 is all, but at most 10,000 of reads and as many others",
    );
  });

  test("of an incomplete trace says so in its last line", () => {
    const cut = file("diff-cut.txt", "VERSION 20070824\nR 4 1.000000 1 0xd0000000 0x1 0x0 0\nW 4 1.00");
    const { stdout, status } = mmiostrider("diff", cut, cut);
    expect([lastLine(stdout), status]).toEqual(["the same as far as the traces go", 3]);
    expect(JSON.parse(mmiostrider("diff", "--json", cut, cut).stdout).incomplete.length).toBe(2);
    expect(lastLine(mmiostrider("diff", trace, trace).stdout)).toBe("the same");
  });
});

describe("verify", () => {
  const recorded = testData("e1000-mmiotrace.txt.gz");
  const truth = file("truth.log", gunzipSync(readFileSync(testData("e1000-truth.log.gz"))).toString());
  const verify = (path: string, log: string, ...options: string[]) =>
    mmiostrider("verify", path, "--truth", log, ...options);

  test("against an empty or an unrelated log fails, and says why", () => {
    const empty = verify(recorded, file("empty.log", ""));
    expect([lastLine(empty.stdout), empty.status]).toEqual([
      `NOT identical: nothing was compared: ${join(directory, "empty.log")} has no memory_region_ops line`,
      1,
    ]);
    const lines = `memory_region_ops_read cpu 0 mr 0x1 addr 0xfec00000 value 0x0 size 4 name 'ioapic'\n`.repeat(3);
    const unrelated = verify(recorded, file("unrelated.log", lines));
    expect([lastLine(unrelated.stdout), unrelated.status]).toEqual([
      `NOT identical: nothing was compared: ${join(directory, "unrelated.log")} has 3 accesses, but none in a mapping of the trace`,
      1,
    ]);
    expect(unrelated.stdout).toContain(
      "left out of the trace: 13,974 accesses in BARs or mappings of which the log has nothing (--expect-all counts them)\n",
    );
    expect(JSON.parse(verify(recorded, truth, "--json").stdout)).toMatchObject({ identical: true, compared: 13_974 });
  });

  test("reads a packed log, and says of a damaged one that it can't be unpacked", () => {
    const packed = testData("e1000-truth.log.gz");
    expect(lastLine(verify(recorded, packed).stdout)).toBe("identical: 13,974 accesses, in the order of all regions");
    const cut = join(directory, "cut.log.gz");
    writeFileSync(cut, readFileSync(packed).subarray(0, -100));
    const { stdout, stderr, status } = verify(recorded, cut);
    expect([stdout, status]).toEqual(["", 1]);
    expect(stderr).toMatch(/^mmiostrider: unpacking \S+cut\.log\.gz failed: unexpected end of file\n/);
  });

  test("of a log without a fence says which accesses may be missing at a mapping's ends", () => {
    const lines = Array.from({ length: 8 }, (_, at) => `W 4 0xfebc0${at}00 0x${at + 1}`);
    const logged = lines.map((line) => {
      const [, , address, value] = line.split(" ");
      return `memory_region_ops_write cpu 0 mr 0x1 addr ${address} value ${value} size 4 name 'nic'\n`;
    });
    const log8 = file("eight.log", logged.join(""));
    const map = "MAP 1.000000 1 0xfebc0000 0xffffc90000100000 0x20000 0x0 0";
    const of = (name: string, ...accesses: string[]) => log(name, map, ...accesses, "UNMAP 2.000000 1 0x0 0");
    expect(verify(of("eight.txt", ...lines), log8).status).toBe(0);
    for (const [name, part, missing] of [
      ["last.txt", lines.slice(0, -1), "1 access of the log"],
      ["first.txt", lines.slice(1), "1 access of the log"],
      ["six.txt", lines.slice(1, -1), "2 accesses of the log"],
    ] as const) {
      const { stdout, status } = verify(of(name, ...part), log8);
      expect([stdout.trimEnd().split("\n").at(-2), status]).toEqual([
        `NOT identical: ${missing} may be missing: the trace has a mapping there that began or ended about then`,
        1,
      ]);
      expect(JSON.parse(verify(join(directory, name), log8, "--json").stdout).identical).toBe(false);
      const leftOut = verify(join(directory, name), log8, "--leave-out-unmapped");
      expect([lastLine(leftOut.stdout), leftOut.status]).toEqual([
        `identical: ${part.length} accesses, in the order of all regions, but for what was left out of the log`,
        0,
      ]);
    }
  });

  test("of a log without mappings says so", () => {
    const { stdout, status } = verify(truth, truth);
    expect([lastLine(stdout), status]).toEqual([
      "NOT identical: the log that the trace comes from (QEMU memory_region_ops) tells no mappings, so that nothing can be compared",
      1,
    ]);
    expect(lastLine(mmiostrider("report", truth).stdout)).toMatch(/, 0 mappings, nothing known to be missing$/);
  });

  test("against a log that can't be read whole is never identical, and says why", () => {
    const lines = readFileSync(truth, "latin1").trimEnd().split("\n");
    const torn = file("torn.log", `${lines.join("\n")}\n${lines[0]!.slice(0, 40)}`);
    const cut = verify(recorded, torn);
    expect([lastLine(cut.stdout), cut.status]).toEqual([
      `NOT identical: ${torn} is cut within its last line, ${lines.length + 1}`,
      1,
    ]);
    const noisy = file("noisy.log", `${lines.join("\n")}\nvirsh: ${lines[0]}\n`);
    const unclear = verify(recorded, noisy);
    expect([lastLine(unclear.stdout), unclear.status]).toEqual([
      `NOT identical: 1 line of ${noisy} has an access behind something else, or a damaged one, and isn't understood; the first is line ${lines.length + 1}`,
      1,
    ]);
    const spoilt = lines.map((line, at) => (at === 900 ? line.replace("memory_", "memo#") : line));
    const damaged = verify(recorded, file("spoilt.log", `${spoilt.join("\n")}\n`));
    expect(damaged.status).toBe(1);
    expect(lastLine(damaged.stdout)).toMatch(
      /^NOT identical: 1 line of \S+ has .* damaged one, and isn't understood; the first is line 901; /,
    );
  });

  test("of a part of a trace compares what the log has, and counts what the part lacks", () => {
    const [end, begin] = [join(directory, "end.mmt"), join(directory, "begin.mmt")];
    expect(mmiostrider("cut", "--from", "@100", recorded, "-o", end).status).toBe(0);
    const lacking = verify(end, truth);
    expect(lacking.status).toBe(1);
    expect(lacking.stdout).not.toContain("left out of the trace");
    expect(lacking.stdout).toMatch(/^0000:00:03\.0 BAR0 +e1000-mmio +13,876 +13,974 +no: 98 missing$/m);
    expect(lastLine(lacking.stdout)).toBe("NOT identical: 98 accesses are missing in the trace");
    expect(mmiostrider("cut", "--to", "@9000", recorded, "-o", begin).status).toBe(0);
    expect(verify(begin, truth).status).toBe(1);
    const { stdout } = verify(begin, truth, "--cut");
    expect(stdout).toMatch(/^left out of the log: .*, 4,975 behind the trace's end$/m);
    expect(stdout).toMatch(/ e1000-mmio +8,999 +13,974 +yes, as far as the trace goes$/m);
    expect(lastLine(stdout)).toBe("identical: 8,999 accesses, in the order of all regions, as far as the trace goes");
  });

  describe("in the table and in the last line says the same", () => {
    const write = (at: number, value = at + 1) => `W 4 0xfebc0${at}00 0x${value}`;
    const writes = Array.from({ length: 8 }, (_, at) => write(at));
    const logged = writes.map((line) => {
      const [, , address, value] = line.split(" ");
      return `memory_region_ops_write cpu 0 mr 0x1 addr ${address} value ${value} size 4 name 'nic'\n`;
    });
    const of = (name: string, ...accesses: string[]) =>
      log(name, "MAP 1.000000 1 0xfebc0000 0xffffc90000100000 0x20000 0x0 0", ...accesses, "UNMAP 2.000000 1 0x0 0");
    const words = (path: string, lines: readonly string[], ...options: string[]) => {
      const { stdout, status } = verify(path, file("words.log", lines.join("")), ...options);
      const end = stdout
        .trimEnd()
        .split("\n")
        .filter((line) => !line.startsWith("  "));
      const rows = stdout.split("\n\n")[0]!.split("\n").slice(1);
      return [rows.map((row) => row.split(/ {2,}/).at(-1)).join(" | "), end.at(-1), status];
    };
    const identical = (count: number) => `identical: ${count} accesses, in the order of all regions`;

    test("of nothing compared", () => {
      const path = of("words-nothing.txt");
      const reason =
        "NOT identical: nothing was compared: the trace and the log's part for it have no access in common";
      expect(words(path, logged)).toEqual(["not compared", reason, 1]);
    });

    test("of accesses that are missing, that are only in the trace, and that differ", () => {
      const missing = of("words-missing.txt", ...writes.filter((_, at) => at !== 3));
      const reason = "NOT identical: 1 access is missing in the trace";
      expect(words(missing, logged)).toEqual(["no: 1 missing", reason, 1]);
      const only = "NOT identical: 2 accesses are only in the trace";
      const extra = of("words-extra.txt", ...writes.slice(0, 4), write(2, 70), write(3, 71), ...writes.slice(4));
      expect(words(extra, logged)).toEqual(["no: 2 only in the trace", only, 1]);
      const changed = of("words-changed.txt", ...writes.map((line, at) => (at === 2 ? write(2, 70) : line)));
      expect(words(changed, logged)).toEqual(["no: 1 differs", "NOT identical: 1 access differs", 1]);
      const late = of("words-late.txt", ...writes.slice(1));
      const may =
        "NOT identical: 1 access of the log may be missing: the trace has a mapping there that began or ended about then";
      expect(words(late, logged)).toEqual(["no: 1 may be missing", may, 1]);
      expect(words(late, logged, "--leave-out-unmapped")).toEqual([
        "yes, but for what was left out",
        `${identical(7)}, but for what was left out of the log`,
        0,
      ]);
    });

    test("of a log that is torn, with --cut and without", () => {
      const whole = of("words-whole.txt", ...writes);
      const torn = [...logged.slice(0, 6), logged[6]!.slice(0, 30)];
      const reason = `NOT identical: ${join(directory, "words.log")} is cut within its last line, 7`;
      const more = `${reason}; 2 accesses are only in the trace`;
      const rows = "as far as both go | no: 2 only in the trace";
      expect(words(whole, torn)).toEqual([rows, more, 1]);
      // the trace goes on behind the log
      expect(words(whole, torn, "--cut")).toEqual([rows, more, 1]);
      const part = of("words-part.txt", ...writes.slice(0, 4));
      expect(words(part, torn, "--cut")).toEqual([
        "yes, as far as the trace goes",
        `${identical(4)}, as far as the trace goes`,
        0,
      ]);
      expect(verify(part, join(directory, "words.log"), "--cut").stdout).toContain(
        "2 behind the trace's end, and line 7, of which only a part is there\n",
      );
      const same = of("words-same.txt", ...writes.slice(0, 6));
      expect(words(same, torn)).toEqual(["as far as both go", reason, 1]);
    });

    test("of a trace with gaps", () => {
      const lossy = of("words-lossy.txt", ...writes, "MARK 0.000000 Lost 5 events.");
      expect(words(lossy, logged)).toEqual([
        "as far as both go",
        "NOT identical: 5 records were lost while recording",
        1,
      ]);
    });

    test("of the order across regions", () => {
      const other = "memory_region_ops_write cpu 0 mr 0x2 addr 0xfebd0000 value 0x1 size 4 name 'disk'\n";
      const path = of("words-order.txt", ...writes, "W 4 0xfebd0000 0x1");
      const moved = [...logged.slice(0, 7), other, ...logged.slice(7)];
      expect(words(path, moved, "--leave-out-unmapped")).toEqual([
        expect.stringContaining("yes, but for the order across regions"),
        "NOT identical: each region's accesses are identical, but their order across regions is not",
        1,
      ]);
    });
  });

  test("of a trace with gaps says so", () => {
    const part = join(directory, "filtered.mmt");
    expect(mmiostrider("cut", "--filter", "access", recorded, "-o", part).status).toBe(0);
    const { stdout, status } = verify(part, truth);
    expect([lastLine(stdout), status]).toEqual([
      "NOT identical: the trace is incomplete: only what fits the filter access was kept",
      1,
    ]);
  });
});

describe("the numbers of the last lines", () => {
  const bar0 = { index: 0, start: "0xfebc0000", length_bytes: "0x10000", flags: "0x200" } as const;
  const bar1 = { index: 1, start: "0xfecc0000", length_bytes: "0x10000", flags: "0x200" } as const;

  async function made(name: string, recording: Recording, header: Partial<TraceHeader> = {}, summary = madeUpSummary) {
    const path = join(directory, name);
    const writer = await createTrace(path, madeUpHeader(header));
    await writer.append(recording.list.records);
    await writer.close(summary);
    return path;
  }

  test("of report and stat are those of the records, each its own", async () => {
    const recording = new Recording().map().map(0xfebd0000n, 2);
    for (let at = 0; at < 11; at += 1) recording.traced("read", 4, 8 * at, 1n);
    for (let at = 0; at < 6; at += 1) recording.traced("write", 2, 8 * at, BigInt(at));
    recording.list.add({ kind: RecordKind.lost, value: [5n, 0n] });
    for (let at = 0; at < 3; at += 1) {
      recording.list.add({ kind: RecordKind.escape, address: bar, width: 3, value: [0x0f6f00n, 0n] });
    }
    const summary = { ...madeUpSummary, accesses: 17, lost: 5, escaped: 3, mappings: 2 };
    const path = await made("numbers.mmt", recording, {}, summary);
    const whole = mmiostrider("report", path);
    expect([lastLine(whole.stdout), whole.status]).toEqual([
      "# 17 accesses, 5 lost, 3 escaped, 2 mappings, INCOMPLETE",
      3,
    ]);
    const part = mmiostrider("report", "--filter", "write and value != 0", path).stdout;
    expect(lastLine(part)).toBe("# 5 of 17 accesses, 5 lost, 3 escaped, 2 mappings, INCOMPLETE");
    const [first, second] = mmiostrider("stat", path).stdout.split("\n");
    expect(first).toBe("17 accesses: 11 reads (44 B), 6 writes (12 B)");
    expect(second).toBe("5 lost, 3 escaped");
    expect(mmiostrider("grep", "-c", " W 2 ", path).stdout).toBe("6\n");
  });

  test("of verify are those of trace and log, each its own", async () => {
    const recording = new Recording().map().map(0xfecc0000n, 2);
    for (let at = 0; at < 2; at += 1) recording.logged("read", 4, 0, 1n);
    recording.post(0x4d, 0x4d, 0x53, 1, 1, 2, 3, 4);
    for (let at = 0; at < 6; at += 1) recording.both(4 * at, BigInt(at));
    for (let at = 0; at < 3; at += 1) recording.traced("write", 4, 0x100000 + 4 * at, 7n, { mapping: 2 });
    for (let at = 0; at < 4; at += 1) recording.traced("read", 4, 8, 3n).logged("read", 4, 8, 3n, 1);
    for (let at = 0; at < 2; at += 1) {
      recording.traced("read", 8, 8, 0x500000003n).logged("read", 4, 8, 3n).logged("read", 4, 12, 5n);
    }
    recording.traced("read", 1, 16, 0x44n).logged("read", 4, 16, 0x11223344n);
    recording.post(0x4d, 0x4d, 0x53, 2, 1, 2, 3, 4);
    for (let at = 0; at < 5; at += 1) recording.logged("read", 4, 0x500000, 1n);
    const functions = madeUpHeader()
      .pciFunctions.slice(0, 1)
      .map((found) => ({ ...found, bars: [bar0, bar1] }));
    const path = await made("verified.mmt", recording, { fence: "01020304", pciFunctions: functions });
    const verified = mmiostrider("verify", path, "--truth", file("verified.log", `${recording.log.join("\n")}\n`));
    // port 0x80 has the fence's sixteen writes
    expect(verified.stdout.trimEnd().split("\n").slice(-5)).toEqual([
      "left out of the log: 21 accesses at addresses that the trace never had mapped, 2 outside the fence, 0 while no recorded mapping covered them",
      "left out of the trace: 3 accesses in BARs or mappings of which the log has nothing (--expect-all counts them)",
      "fitted as QEMU does: 2 split, 1 by their own bytes only",
      "4 accesses were made by another CPU than the log says",
      "identical: 15 accesses, in the order of all regions, but for what was left out of the trace",
    ]);
    expect(verified.status).toBe(0);
  });

  test("of diff are those of the differences, each its own", () => {
    const reads = (count: number, value: string) =>
      Array.from({ length: count }, (_, at) => `R 4 0xd000${1000 + 4 * at} ${value}`);
    const writes = (count: number, value: string, from = 0) =>
      Array.from({ length: count }, (_, at) => `W 4 0xd000${2000 + from + 4 * at} ${value}`);
    const one = log("counted-a.txt", ...reads(7, "0x1"), ...writes(5, "0x1"), ...writes(3, "0x1", 500));
    const two = log("counted-b.txt", ...reads(7, "0x2"), ...writes(5, "0x2"), ...writes(2, "0x1", 700));
    expect(mmiostrider("diff", one, two).stdout).toMatch(/^physical addresses +12 +5 +7 +3 +2$/m);
    expect(mmiostrider("diff", "--top", "4", one, two).stdout).toContain("… and 6 more (--top 0 lists all)");
    expect(mmiostrider("diff", "--top", "4", "--reads", one, two).stdout).toContain(
      "… and 13 more (--top 0 lists all)",
    );
  });

  test("a part of a trace with losses says that they are the whole's", () => {
    const lossy = log("lossy.txt", "R 4 0xd0000000 0x1", "MARK 0.000000 Lost 9 events.", "R 4 0xd0000004 0x1");
    const part = join(directory, "lossless-part.mmt");
    expect(mmiostrider("cut", "--to", "@0", lossy, "-o", part).status).toBe(3);
    const { stdout, stderr } = mmiostrider("report", part);
    expect(lastLine(stdout)).toBe("# 1 access, 0 lost, 0 escaped, 0 mappings, INCOMPLETE");
    expect(stderr).toMatch(/lossless-part\.mmt: incomplete: of the trace that it was made of: 9 events were lost/);
  });

  test("cut's JSON says that the filter left things out, as the new trace does", () => {
    const { stdout, status } = mmiostrider("cut", "--json", "--filter", "write", trace, "-o", "writes.mmt");
    const { incomplete } = JSON.parse(stdout);
    expect([incomplete, status]).toEqual([["only what fits the filter write was kept"], 0]);
    const { stderr } = mmiostrider("stat", "writes.mmt");
    expect(stderr).toBe(`mmiostrider: writes.mmt: incomplete: ${incomplete[0]}\n`);
  });

  test("report and stat say the same of losses, also of a range and of a trace that is cut", () => {
    const filler = Array.from({ length: 30_000 }, (_, at) => `R 4 0xd0000000 0x${(at * 7919).toString(16)}`);
    const lossy = log("losses.txt", "MARK 0.000000 Lost 9 events.", ...filler, "MARK 0.000000 Lost 4 events.");
    const [whole, half] = [join(directory, "losses.mmt"), join(directory, "half.mmt")];
    mmiostrider("convert", lossy, whole);
    const bytes = readFileSync(whole);
    writeFileSync(half, bytes.subarray(0, bytes.length - 1000));
    const told = (...words: string[]) => {
      return [lastLine(mmiostrider("report", ...words).stdout), mmiostrider("stat", ...words).stdout.split("\n")[1]];
    };
    expect(told(whole)).toEqual([
      "# 30,000 accesses, 13 lost, 0 escaped, 0 mappings, INCOMPLETE",
      "13 lost, 0 escaped",
    ]);
    expect(told("--from", "@5", whole)).toEqual([
      "# 29,996 of 30,000 accesses, 13 lost, 0 escaped, 0 mappings, INCOMPLETE",
      "13 lost, 0 escaped in the whole trace; of these 4 lost, 0 escaped in the counted part",
    ]);
    const [report, stat] = told(half);
    expect(report).toMatch(
      /^# [\d,]+ accesses, cut: 9 lost, 0 escaped in this part, the rest isn't known, INCOMPLETE$/,
    );
    expect(stat).toBe("9 lost, 0 escaped in the counted part; the trace is cut: the rest isn't known");
    const json = JSON.parse(mmiostrider("stat", "--json", "--from", "@5", whole).stdout);
    expect([json.lost, json.incomplete]).toEqual([4, ["13 events were lost when the log was made"]]);
  });

  test("a part says that it is one, and which, and so does what is merged of it", () => {
    const [part, twice, rest, all] = ["part.mmt", "part-of-part.mmt", "rest.mmt", "merged-parts.mmt"];
    expect(mmiostrider("cut", "--from", "@10", "--to", "@19", trace, "-o", part)).toMatchObject({ status: 0 });
    const sentence = `only a part of ${trace} was kept: from event 10 to event 19`;
    const whole = mmiostrider("report", part);
    expect(lastLine(whole.stdout)).toMatch(/^# \d+ accesses, 0 lost, 0 escaped, \d mappings?, a part of a trace$/);
    expect([whole.stderr, whole.status]).toEqual([`mmiostrider: ${part}: note: ${sentence}\n`, 0]);
    const { stdout } = mmiostrider("cut", "--json", "--to", "@3", part, "-o", twice);
    expect(JSON.parse(stdout).part).toBe("only a part of part.mmt was kept: to event 3");
    expect(mmiostrider("stat", twice).stderr.split("\n").length).toBe(3);
    expect(mmiostrider("cut", "--from", "@20", trace, "-o", rest).status).toBe(0);
    mmiostrider("merge", part, rest, "-o", all);
    expect(lastLine(mmiostrider("report", all).stdout)).toContain("a part of a trace");
    expect(mmiostrider("stat", all).stderr).toBe(
      [sentence, `only a part of ${trace} was kept: from event 20 on`]
        .map((what) => `mmiostrider: ${all}: note: ${what}\n`)
        .join(""),
    );
    const timed = mmiostrider("cut", "--json", "--from", "0.75", "--to", "900ms", trace, "-o", twice).stdout;
    expect(JSON.parse(timed).part).toBe(`only a part of ${trace} was kept: from 0.75 s to 0.9 s`);
    // a range that holds everything makes no part
    expect(mmiostrider("cut", "--from", "@0", trace, "-o", all).status).toBe(0);
    expect(lastLine(mmiostrider("report", all).stdout)).toMatch(/, complete$/);
  });

  test("losses are the same in the text of a part and of merged traces", () => {
    const head = (lost: number) =>
      `# tracer: mmiotrace\n# entries-in-buffer/entries-written: 2/${2 + lost}   #P:1\n#\n`;
    const access = (second: number) => `R 4 ${second}.000000 1 0xd0000000 0x1 0x0 0\n`;
    const one = file("head-a.txt", head(100) + access(1) + access(2));
    const lines = "CPU:1 [LOST 7 EVENTS]\nCPU:0 [LOST EVENTS]\nMARK 0.000000 Lost 5 events.\n";
    const two = file("head-b.txt", head(30) + access(3) + lines + access(4));
    const stat = (name: string) => {
      const { lost, lostUncounted, accesses } = JSON.parse(mmiostrider("stat", "--json", name).stdout);
      return { lost, lostUncounted, accesses };
    };
    const again = (name: string) => {
      expect(mmiostrider("convert", name, `${name}.txt`).status).toBe(3);
      return stat(`${name}.txt`);
    };
    expect(stat(two)).toEqual({ lost: 37, lostUncounted: 1, accesses: 2 });
    mmiostrider("merge", one, two, "-o", "heads.mmt");
    expect([stat("heads.mmt"), again("heads.mmt")]).toEqual(
      Array(2).fill({ lost: 137, lostUncounted: 1, accesses: 4 }),
    );
    mmiostrider("cut", "--from", "3.5", two, "-o", "headless.mmt");
    expect([stat("headless.mmt"), again("headless.mmt")]).toEqual(
      Array(2).fill({ lost: 0, lostUncounted: 0, accesses: 1 }),
    );
    mmiostrider("cut", "--to", "3.5", two, "-o", "headed.mmt");
    expect([stat("headed.mmt"), again("headed.mmt")]).toEqual(
      Array(2).fill({ lost: 37, lostUncounted: 1, accesses: 1 }),
    );
  });

  test("merged parts have the mappings of the whole, and what is in it twice is said", () => {
    const midst = log(
      "parted.txt",
      "R 4 0xd0000000 0x1",
      "MAP 1.000001 2 0xd0001000 0xffffc90000000000 0x1000 0x0 0",
      "R 4 0xd0000004 0x1",
      ...Array.from({ length: 4 }, (_, at) => `W 4 0xd00000${10 + at} 0x1`),
    );
    const [first, second, all] = ["parted-a.mmt", "parted-b.mmt", "parted-all.mmt"];
    mmiostrider("cut", "--to", "@3", midst, "-o", first);
    mmiostrider("cut", "--from", "@4", midst, "-o", second);
    const clock = "mmiostrider: note: none of them has a wall clock";
    expect(mmiostrider("merge", first, second, "-o", all).stderr).not.toContain("twice");
    const lines = (name: string) =>
      mmiostrider("report", "--format", "jsonl", name).stdout.replaceAll(/"trace":"[^"]*",/g, "");
    expect(lines(all)).toBe(lines(midst));
    const words = "7 events are in it twice: they were in two of the merged traces, which overlap or are the same";
    const doubled = mmiostrider("merge", midst, midst, "-o", all);
    expect(doubled.stderr).toContain(`mmiostrider: note: ${all}: ${words}\n`);
    expect(doubled.stderr).toContain(clock);
    expect(mmiostrider("stat", all).stderr).toContain(`${all}: note: ${words}\n`);
    // a count of the whole log isn't one of its part
    const whole = "6 accesses use mappings that the log doesn't show being made: it may have begun later";
    const notes = (name: string) => mmiostrider("stat", name).stderr;
    expect(notes(midst)).toBe(`mmiostrider: ${midst}: note: ${whole}\n`);
    expect(notes(first)).toContain(`${first}: note: in ${midst}, ${whole}\n`);
    expect(notes(all)).toContain(`${all}: note: in ${midst}, ${whole}\n`);
    mmiostrider("cut", "--filter", "write", midst, "-o", "parted-writes.mmt");
    expect(notes("parted-writes.mmt")).toContain(`note: in ${midst}, ${whole}\n`);
    mmiostrider("cut", "--from", "@0", midst, "-o", "parted-none.mmt");
    expect(notes("parted-none.mmt")).toContain(`note: ${whole}\n`);
    mmiostrider("cut", "--from", "@2", midst, "-o", second);
    expect(mmiostrider("merge", first, second, "-o", all).stderr).toContain(`${all}: 2 events are in it twice`);
    // mappings of other recordings stay apart
    const other = log(
      "parted-other.txt",
      "MAP 1.000001 2 0xe0000000 0xffffc90000000000 0x1000 0x0 0",
      "R 4 0xd0000000 0x1",
    );
    mmiostrider("merge", midst, other, "-o", all);
    const maps = mmiostrider("report", "--filter", "op == map", all).stdout.match(/map #\d+/g);
    expect(new Set(maps).size).toBe(2);
  });

  test("merged parts of VFIO's logs have each device once, at its own place, and tell what is in them twice", () => {
    const write = (time: number, device: string, offset: string, value: number) =>
      `9@1700000000.00000${time}:vfio_region_write  (${device}:region0+${offset}, 0x${value}, 4)\n`;
    const [one, two] = ["0000:01:00.0", "0000:02:00.0"];
    const lines = [
      write(1, one, "0x8", 1),
      write(2, one, "0x10", 2),
      write(3, two, "0x8", 3),
      write(4, two, "0x10000", 4),
    ];
    const ids = `9@1700000000.000003:vfio_pci_read_config  (${two}, @0x0, len=0x4) 0x100e8086\n`;
    const first = file("vfio-first.log", lines.slice(0, 3).join(""));
    const second = file("vfio-second.log", ids + lines.slice(2).join(""));
    const all = join(directory, "vfio-all.mmt");
    const { stdout, status } = mmiostrider("merge", "--json", first, second, "-o", all);
    expect([status, JSON.parse(stdout)]).toMatchObject([0, { events: 5, repeated: 1 }]);
    const rows = mmiostrider("report", "--format", "jsonl", all).stdout.trimEnd().split("\n");
    expect(rows.map((row) => JSON.parse(row)).map(({ device, offset, value }) => [device, offset, value])).toEqual([
      [one, 8, "0x1"],
      [one, 16, "0x2"],
      [two, 8, "0x3"],
      [two, 8, "0x3"],
      [two, 65_536, "0x4"],
    ]);
    expect(JSON.parse(rows[2]!).pci_id).toBe("8086:100e");
    // cut parts have their devices in the header
    const parts = ["vfio-head.mmt", "vfio-tail.mmt"];
    mmiostrider("cut", "--to", "@3", all, "-o", parts[0]!);
    mmiostrider("cut", "--from", "@4", all, "-o", parts[1]!);
    mmiostrider("merge", parts[1]!, parts[0]!, "-o", "vfio-again.mmt");
    const again = mmiostrider("report", "--format", "jsonl", "vfio-again.mmt").stdout.trimEnd().split("\n");
    const bare = (row: string) => row.replace(/"trace":"[^"]*"/, "");
    expect(again.map(bare)).toEqual(rows.map(bare));
    const other = file("vfio-other.log", ids.replace("100e", "100f") + lines[2]);
    expect(mmiostrider("merge", second, other, "-o", all)).toMatchObject({
      status: 1,
      stderr: expect.stringContaining(`different machines: ${two} isn't the same device`),
    });
  });

  test("merged logs of rwmmio have each site's name once, and tell what is in them twice", () => {
    const write = (time: number, names: string) =>
      ` cat-7 [001] ..s1. 1.00000${time}: rwmmio_write: ${names} width=32 val=0x1 addr=0xffffffc008100018\n`;
    const lines = [
      write(1, "a+0x1/0x2"),
      write(2, "b+0x1/0x2 -> c+0x1/0x2"),
      write(3, "c+0x1/0x2"),
      write(4, "d+0x1/0x2"),
    ];
    const first = file("names-first.log", lines.slice(0, 3).join(""));
    const second = file("names-second.log", lines.slice(1).join(""));
    const all = join(directory, "names-all.mmt");
    expect(JSON.parse(mmiostrider("merge", "--json", first, second, "-o", all).stdout).repeated).toBe(2);
    const sites = JSON.parse(mmiostrider("stat", "--json", all).stdout).sites as { site: string; accesses: number }[];
    expect(sites.map(({ site, accesses }) => [site, accesses]).sort()).toEqual([
      ["a+0x1", 1],
      ["c+0x1 from b+0x1", 2],
      ["c+0x1", 2],
      ["d+0x1", 1],
    ]);
  });

  test("merging logs without a wall clock says what that means", () => {
    const map = "MAP 0.999999 1 0xd0000000 0xffffc90000000000 0x1000 0x0 0";
    const logs = ["one", "two"].map((name) => log(`merged-${name}.txt`, map, "R 4 0xd0000000 0x1"));
    const { stderr, status } = mmiostrider("merge", ...logs, "-o", "merged.mmt");
    expect([stderr.split("\n")[0], status]).toEqual([
      "mmiostrider: note: none of them has a wall clock: their times count as of one clock, which only times of one boot are",
      0,
    ]);
  });
});

describe("a reader that leaves at once", () => {
  /** Runs a command whose output nobody reads; returns its standard error and its exit code. */
  function unread(...parameters: string[]) {
    const words = [process.execPath, programFile, ...parameters].map((word) => `'${word}'`).join(" ");
    const options = { encoding: "utf8", timeout: 60_000, cwd: directory } as const;
    // the descriptor is a pipe whose other end is closed before the command begins
    const script = `exec 3> >(exec true); wait $!; ${words} >&3`;
    const { stderr, status } = spawnSync("bash", ["-c", script], options);
    return [stderr, status];
  }
  const mapped = "MAP 1.000000 1 0xd0000000 0xffffc90000100000 0x1000 0x0 0";
  const one = log("unread-a.txt", mapped, "W 4 0xd0000000 0x1");
  const two = log("unread-b.txt", mapped, "W 4 0xd0000000 0x2");
  const cut = file(
    "unread-cut.txt",
    "VERSION 20070824\nMAP 1.000000 1 0xd0000000 0xffffc90000100000 0x1000 0x0 0\nR 4 1.000000 1 0xd0000000 0x1 0x0 0\nW 4 1.00",
  );

  test("changes no exit code, and is no fault", () => {
    for (const json of [[], ["--json"]]) {
      expect(unread("diff", ...json, one, two)).toEqual(["", 1]);
      expect(unread("diff", ...json, one, one)).toEqual(["", 0]);
      expect(unread("stat", ...json, one)).toEqual(["", 0]);
      expect(unread("stat", ...json, cut)).toEqual([expect.stringMatching(/^mmiostrider: .*: incomplete: .*\n$/), 3]);
    }
    const truth = testData("e1000-truth.log.gz");
    expect(unread("verify", testData("e1000-mmiotrace.txt.gz"), "--truth", truth)).toEqual(["", 0]);
    expect(unread("verify", one, "--truth", truth)).toEqual(["", 1]);
    expect(unread("report", one)).toEqual(["", 0]);
    expect(unread("report", cut)).toEqual([expect.stringMatching(/^mmiostrider: .*: incomplete: .*\n$/), 3]);
    expect(unread("registers", "list", "e1000")).toEqual(["", 0]);
  });

  test("changes no exit code of what makes traces and other formats of one", () => {
    const whole = join(directory, "unread.mmt");
    expect(mmiostrider("convert", cut, whole).status).toBe(3);
    const incomplete = expect.stringMatching(/^mmiostrider: .*: incomplete: .*\n$/);
    for (const [name, said, status] of [
      [trace, "", 0],
      [whole, incomplete, 3],
    ] as const) {
      expect(unread("cut", "--from", "@1", name, "-o", "-")).toEqual([said, status]);
      expect(unread("merge", name, name, "-o", "-")[1]).toEqual(status);
      for (const to of ["jsonl", "mmiotrace", "parquet"]) {
        expect(unread("convert", "--to", to, name, "-"), to).toEqual([said, status]);
      }
    }
  });
});

describe("messages", () => {
  const fails = (code: number, ...words: string[]) => {
    const { stderr, status } = mmiostrider(...words);
    expect(status, words.join(" ")).toBe(code);
    return stderr.split("\n");
  };
  const known = log("understood.txt", "R 4 0xd0000000 0x1");

  test("name the packer of a file that gzip hasn't packed", () => {
    const unpacked = join(directory, "packed.txt");
    writeFileSync(unpacked, readFileSync(known));
    for (const [program, ending] of [
      ["xz", "xz"],
      ["bzip2", "bz2"],
    ] as const) {
      spawnSync(program, ["-k", unpacked]);
      expect(fails(1, "stat", `${unpacked}.${ending}`)).toEqual([
        `mmiostrider: ${unpacked}.${ending}: at byte 0: it is packed with ${program}; only gzip is unpacked here`,
        `  ${program} -dc unpacks it into a pipe, which - reads`,
        "",
      ]);
    }
    const zstd = join(directory, "packed.zst");
    writeFileSync(zstd, Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x24, 0x05, 0x29, 0]));
    expect(fails(1, "stat", zstd)[0]).toMatch(/it is packed with zstd;/);
    expect(fails(1, "stat", file("unknown.txt", "x\n"))).toEqual([
      `mmiostrider: ${join(directory, "unknown.txt")}: at byte 0: this is no trace of mmiostrider's, and no log of mmiotrace, of QEMU (memory_region_ops, vfio_region) or of ftrace's rwmmio events`,
      "",
    ]);
  });

  test("call a packed file with bytes behind its end not simply cut", () => {
    const packed = join(directory, "behind.txt.gz");
    writeFileSync(packed, Buffer.concat([gzipSync(readFileSync(known)), Buffer.from("x")]));
    expect(fails(3, "stat", packed)).toContain(
      `mmiostrider: ${packed}: incomplete: 1 byte behind the packed file's end isn't packed with gzip, and isn't read`,
    );
    const truth = join(directory, "behind-truth.log.gz");
    writeFileSync(truth, Buffer.concat([readFileSync(testData("e1000-truth.log.gz")), Buffer.from("words")]));
    expect(fails(1, "verify", testData("e1000-mmiotrace.txt.gz"), "--truth", truth)[0]).toBe(
      `mmiostrider: unpacking ${truth} failed: 5 bytes behind the packed file's end aren't packed with gzip, and aren't read`,
    );
    // of a packed trace, too, in a file and in a pipe
    const packedTrace = join(directory, "behind.mmt.gz");
    writeFileSync(packedTrace, Buffer.concat([gzipSync(readFileSync(trace)), Buffer.from("xy")]));
    const words = "2 bytes behind the packed file's end aren't packed with gzip, and aren't read";
    for (const command of [
      ["report"],
      ["stat"],
      ["convert", "--to", "csv"],
      ["cut", "--from", "@1", "-o", "behind-part.mmt"],
    ]) {
      const { stdout, stderr, status } = mmiostrider(
        ...command,
        packedTrace,
        ...(command[0] === "convert" ? ["-"] : []),
      );
      expect([stderr.includes(`incomplete: ${words}`), status], command[0]).toEqual([true, 3]);
      if (command[0] === "report") expect(lastLine(stdout)).toMatch(/, INCOMPLETE$/);
    }
    expect(mmiostrider("stat", "behind-part.mmt").stderr).toContain(
      `incomplete: of the trace that it was made of: ${words}`,
    );
    const options = {
      input: readFileSync(packedTrace),
      encoding: "utf8",
      timeout: 60_000,
      maxBuffer: 64 << 20,
    } as const;
    const piped = spawnSync(process.execPath, [programFile, "report", "-"], options);
    expect([piped.stderr.includes(words), lastLine(piped.stdout)?.endsWith(", INCOMPLETE"), piped.status]).toEqual([
      ...[true, true, 3],
    ]);
    const parts = readFileSync(known, "latin1").split(/(?<=\n)/);
    const members = join(directory, "members.txt.gz");
    writeFileSync(members, Buffer.concat(parts.map((part) => gzipSync(part))));
    const unpacked = mmiostrider("report", known);
    expect(mmiostrider("report", members)).toMatchObject({ stdout: unpacked.stdout, status: 0 });
  });

  test("say what to do with a log that --follow doesn't follow, and with one that isn't XML", () => {
    expect(fails(2, "report", "--follow", known)).toEqual([
      `mmiostrider: --follow follows traces, and ${known} is a log of another format`,
      `  tail -n +1 -f '${known}' | mmiostrider report - prints it as it comes`,
      "",
    ]);
    expect(fails(1, "report", "--follow", file("nothing.txt", "x\n"))[0]).toContain("this is not a trace");
    expect(fails(1, "registers", "check", known)[0]).toBe(
      `mmiostrider: ${known}:1: isn't XML: it doesn't begin with <`,
    );
  });

  test("of verify and report have no holes for names that aren't there", async () => {
    const map = "MAP 0.999999 1 0xd0000000 0xffffc90000000000 0x1000 0x0 0";
    const unnamed = log("unnamed.txt", map, "R 4 0xd0000000 0x1", "R 4 0xd0000008 0x1");
    const truth = file(
      "unnamed-truth.log",
      "memory_region_ops_read cpu 0 mr 0x1 addr 0xd0000000 value 0x1 size 4 name 'nic'\n",
    );
    const { stdout } = mmiostrider("verify", "--expect-all", unnamed, "--truth", truth);
    expect(stdout).toMatch(/^extra in 0xd0000000-0xd0000fff:$/m);
    const path = join(directory, "hostless.mmt");
    const { machine } = madeUpHeader();
    const writer = await createTrace(path, madeUpHeader({ machine: { ...machine, host: "(none)" } }));
    await writer.close(madeUpSummary);
    expect(mmiostrider("report", path).stdout).toMatch(/^# Linux /);
  });
});

describe("a device of VFIO's log", () => {
  const path = file(
    "bars.log",
    "vfio_region_write  (0000:00:04.0:region0+0x8, 0x1, 4)\nvfio_region_write  (0000:00:04.0:region0+0x11ffe, 0x2, 2)\n",
  );

  test("has no BAR longer than its accesses need, and mmiotrace's text says that it is made up", () => {
    const { stderr } = mmiostrider("convert", path, "bars.txt");
    expect(stderr).toContain("note: the places and lengths of 1 BAR in PCIDEV lines are made up: the log has none\n");
    const [, line] = readFileSync(join(directory, "bars.txt"), "utf8").split("\n");
    expect(line).toBe(`PCIDEV 0020 00000000 0 4000000000000${" 0".repeat(6)} 20000${" 0".repeat(6)} `);
    const rows = mmiostrider("report", "--format", "jsonl", path).stdout.trimEnd().split("\n");
    expect(rows.map((row) => JSON.parse(row).offset)).toEqual([8, 0x11ffe]);
  });
});

describe("losses without a time", () => {
  test("are at no made-up time in Perfetto's time line", () => {
    const lossy = log("timeless-loss.txt", "MARK 0.000000 Lost 9 events.", "R 4 0xd0000000 0x1");
    const { traceEvents } = JSON.parse(mmiostrider("convert", "--to", "perfetto", lossy, "-").stdout);
    const instants = traceEvents.filter(({ ph, s }: { ph: string; s: string }) => ph === "i" && s === "g");
    expect(instants.map(({ name, ts }: { name: string; ts: number }) => [name, ts])).toEqual([
      ["LOST: 9 records, at an unknown time", 1_000_001],
    ]);
  });
});

describe("options without effect", () => {
  const database = (text: string) => file("mine.xml", `<?xml version="1.0"?><database>${text}</database>`);
  const domain = '<domain name="MINE"><reg32 offset="8" name="MY_STATUS"/></domain>';
  const refused = (...words: string[]) => {
    const { stderr, status } = mmiostrider(...words);
    return [status, stderr.split("\n")[0]];
  };
  const commands = [["report"], ["stat"], ["grep", "x"], ["diff", trace]];

  test.each(commands)("%s %s: --registers that fits no device", (...words) => {
    expect(refused(...words, "--registers", "nonsense=e1000", trace)).toEqual([
      2,
      "mmiostrider: --registers nonsense=e1000 fits no device of the trace",
    ]);
    const { stderr } = mmiostrider(...words, "--registers", "nonsense=e1000", trace);
    expect(stderr).toContain("0000:00:04.0 (8086:100e)");
    // a device without the BAR
    const elsewhere = `e1000=${database(domain)}:MINE@4`;
    expect(refused(...words, "--registers", elsewhere, trace)[0]).toBe(2);
  });

  test("--registers for a log without devices, and in an output without names", () => {
    const bare = log("bare.txt", "R 4 0xd0000000 0x1");
    const { stdout, stderr, status } = mmiostrider("report", "--registers", "e1000", bare);
    expect([stdout, status]).toEqual(["", 2]);
    expect(stderr).toContain("the trace knows no devices");
    expect(refused("convert", "--registers", "e1000", trace, "x.txt")[0]).toBe(2);
    expect(refused("convert", "--registers", "nonsense=e1000", trace, "x.csv")[0]).toBe(2);
    expect(refused("cut", "--registers", "e1000", "--from", "1", trace, "-o", "x.mmt")[0]).toBe(2);
    expect(existsSync(join(directory, "x.csv"))).toBe(false);
  });

  test("--top and --by with --json, which has all", () => {
    for (const words of [
      ["stat", "--top", "2"],
      ["stat", "--by", "poll"],
      ["diff", "--top", "10", trace],
    ]) {
      expect(refused(...words, "--json", trace)).toEqual([2, expect.stringMatching(/ no effect with --json/)]);
    }
  });

  test("colours where there are none, and a list of virtual addresses where there are none", () => {
    expect(refused("report", "--color", "always", "--format", "csv", trace)).toEqual([
      2,
      "mmiostrider: --color always has no effect with --format csv",
    ]);
    expect(refused("grep", "--color", "always", "--json", "x", trace)[0]).toBe(2);
    const list = file(
      "vmallocinfo",
      "0xffffc90000100000-0xffffc90000122000  139264 e1000_probe+0x1/0x2 [e1000] phys=0xfebc0000 ioremap\n",
    );
    const bare = log("physical.txt", "R 4 0xd0000000 0x1");
    expect(refused("convert", "--vmallocinfo", list, bare, "x.mmt")).toEqual([
      2,
      `mmiostrider: ${bare} has no virtual addresses that a copy of vmallocinfo could translate`,
    ]);
    expect(existsSync(join(directory, "x.mmt"))).toBe(false);
  });

  test("--registers that fits a device without accesses is noted, and takes no names from others", () => {
    const { stdout, stderr, status } = mmiostrider("report", "--registers", "ahci", trace);
    expect([stderr, status]).toEqual(["mmiostrider: note: --registers ahci named no access\n", 0]);
    expect(stdout).toBe(mmiostrider("report", trace).stdout);
  });

  test("a database with a fault", () => {
    const faulty = database('<domain name="MINE"><reg32 name="NOWHERE"/><reg32 offset="8" name="MY_STATUS"/></domain>');
    for (const words of commands) {
      expect(refused(...words, "--registers", faulty, trace)).toEqual([
        1,
        `mmiostrider: ${join(directory, "mine.xml")}:1: register NOWHERE has no offset`,
      ]);
    }
    // a name that doesn't resolve is met only where it is needed
    const unresolved = (offset: number) =>
      database(`<domain name="MINE"><reg32 offset="${offset}" name="MY_STATUS" type="NOTYPE"/></domain>`);
    const met = mmiostrider("report", "--registers", unresolved(8), "--filter", "offset == 8", trace);
    expect(met.status).toBe(1);
    expect(met.stderr).toMatch(/^mmiostrider: \S+mine\.xml:1: .*NOTYPE/);
  });

  test.each([["report"], ["stat"], ["grep", "x"]])(
    "%s %s: markers that don't occur, and ranges that end before they begin",
    (...words) => {
      for (const option of ["--from", "--to"]) {
        expect(refused(...words, option, "mark:nosuch", trace)).toEqual([
          2,
          `mmiostrider: ${trace} has no marker with "nosuch" in the selected part`,
        ]);
      }
      expect(refused(...words, "--from", "3", "--to", "2", trace)).toEqual([
        2,
        "mmiostrider: --from 3 is behind --to 2: nothing lies between",
      ]);
      expect(refused(...words, "--from", "@3", "--to", "@2", trace)[0]).toBe(2);
      expect(refused(...words, "--from", "2ms", "--to", "1900us", trace)[0]).toBe(2);
    },
  );

  test.each([["report"], ["report", "-"], ["stat"], ["grep", "x"], ["cut", "-o", "beyond.mmt"]])(
    "%s %s: bounds beyond a trace's ends",
    (...words) => {
      const piped = words[1] === "-";
      const run = (...range: string[]) => {
        const [all, options] = [[...words, ...range], { encoding: "utf8", timeout: 60_000, cwd: directory } as const];
        const { stderr, status } = piped
          ? spawnSync(process.execPath, [programFile, ...all], { ...options, input: readFileSync(trace) })
          : mmiostrider(...all, trace);
        return [status, stderr.split("\n")[0]];
      };
      const name = piped ? "standard input" : trace;
      expect(run("--from", "@100000")).toEqual([
        2,
        expect.stringContaining(`${name} has no event 100000: its last one is `),
      ]);
      expect(run("--from", "77")).toEqual([
        2,
        expect.stringContaining(`${name} has nothing from 77.000000000 s on: it ends at `),
      ]);
      expect(run("--to", "100ns")).toEqual([
        2,
        expect.stringContaining(`${name} has nothing up to 0.000000100 s: it begins at `),
      ]);
      expect(existsSync(join(directory, "beyond.mmt"))).toBe(false);
    },
  );

  test("a part with a marker that doesn't occur isn't cut", () => {
    expect(refused("cut", "--from", "mark:nosuch", trace, "-o", "nosuch.mmt")[0]).toBe(2);
    expect(existsSync(join(directory, "nosuch.mmt"))).toBe(false);
  });
});

describe("stat", () => {
  test("counts places behind its limit apart from the table of places, which has the most frequent ones first", () => {
    const writes = Array.from({ length: 70_000 }, (_, at) => `W 4 0x${(0xd0000000 + 4 * at).toString(16)} 0x1`);
    const many = log("many.txt", ...writes, "W 4 0xd0000004 0x2");
    const { stdout, status } = mmiostrider("stat", "--by", "register", many);
    expect(status).toBe(0);
    const lines = stdout.trimEnd().split("\n");
    expect(lines[0]).toMatch(/^70,001 accesses /);
    expect(lines[3]).toMatch(/^ +0xd0000004 +4 +2 +0 +2 +8 B .* 2 +0x2$/);
    expect(lines.slice(-2)).toEqual([
      "… and 65,526 more (--top 0 shows all)",
      "not in this table: 4,464 accesses in no BAR to places behind the limit of 65,536",
    ]);
    const json = JSON.parse(mmiostrider("stat", "--json", many).stdout);
    expect([json.places, json.registers.length, json.registers.at(-1).accesses]).toEqual([65_536, 65_537, 4_464]);
  });
});

describe("times", () => {
  test("are the same to the nanosecond in every output", () => {
    const rows = mmiostrider("report", "--format", "jsonl", trace).stdout.trimEnd().split("\n");
    const times = new Map(rows.map((row) => JSON.parse(row)).map(({ event, time_s }) => [event, time_s.toFixed(9)]));
    // of a log in microseconds, to the microsecond
    const accesses = [1, 20, 300].map(
      (part) => `R 4 ${part}.${String(part * 7).padStart(6, "0")} 1 0xd0000000 0x1 0x0 0`,
    );
    const path = file("microseconds.txt", `VERSION 20070824\n${accesses.join("\n")}\n`);
    const micros = mmiostrider("report", path).stdout.matchAll(/^ *(\S+) +R /gm);
    expect([...micros].map((found) => found[1])).toEqual(["1.000007", "20.000140", "300.002100"]);
    const beyond = mmiostrider("report", "--from", "500", path).stderr;
    expect(beyond).toContain("has nothing from 500.000000 s on: it ends at 300.002100 s");
    const printed = mmiostrider("report", trace).stdout.matchAll(/^ *(\d+\.\d{9}) /gm);
    expect([...printed].map((found) => found[1])).toEqual([...times.values()]);
    const { traceEvents } = JSON.parse(mmiostrider("convert", "--to", "perfetto", trace, "-").stdout);
    const instants = traceEvents.filter(({ ph }: { ph: string }) => ph === "i");
    expect(instants.length).toBeGreaterThan(2 * 13_889);
    const other = instants.filter(
      ({ ts, args }: { ts: number; args: { event: number } }) => (ts / 1e6).toFixed(9) !== times.get(args.event),
    );
    expect(other).toEqual([]);
  });
});

describe("times that go back", () => {
  const accesses = (from: number, count: number) =>
    Array.from(
      { length: count },
      (_, at) => `R 4 ${from}.${String(at * 1000).padStart(6, "0")} 1 0xd0000000 0x1 0x0 0`,
    );
  const whole = (name: string, ...parts: string[][]) => file(name, `VERSION 20070824\n${parts.flat().join("\n")}\n`);
  const joined = whole("joined.txt", accesses(7, 4), accesses(5, 3));
  const twice = whole("joined-twice.txt", accesses(7, 4), accesses(5, 3), accesses(4, 2));
  const words = "times go back at event 4, by 2.00 s";
  const more = "times go back at 2 events, first at event 4, by 2.00 s at most";

  test("are told by stat, and no time between accesses is counted there", () => {
    const [first, second] = mmiostrider("stat", joined).stdout.split("\n");
    expect(first).toBe("7 accesses: 7 reads (28 B), 0 writes (0 B)");
    expect(second).toBe(`${words}: no time between accesses is counted there`);
    expect(mmiostrider("stat", twice).stdout.split("\n")[1]).toContain(more);
    expect(mmiostrider("stat", "--by", "register", joined).stdout).toMatch(/ 1\.00 ms +1\.00 ms +1\.00 ms /);
    const json = JSON.parse(mmiostrider("stat", "--json", joined).stdout);
    expect([json.timesBack, json.first_s, json.last_s]).toEqual([{ event: 4, count: 1, most_s: 2.003 }, 5, 7.003]);
    // the poll ends there
    expect(json.polls).toMatchObject([{ polls: 2, reads: 7, longest: 4 }]);
    expect(json.polls[0].duration_s).toBeCloseTo(0.005, 9);
    const sound = JSON.parse(mmiostrider("stat", "--json", "--to", "@3", joined).stdout);
    expect([sound.timesBack, sound.last_s]).toEqual([null, 7.003]);
  });

  test("are told by report, in every format, and by merge", () => {
    const note = (name: string, end = "") => `mmiostrider: ${name}: note: ${words}${end}\n`;
    expect(mmiostrider("report", "--fold", joined)).toMatchObject({
      stderr: expect.stringContaining(note(joined)),
      stdout: expect.stringMatching(/×4 in 3\.00 ms,[\s\S]*×3 in 2\.00 ms,/),
    });
    expect(mmiostrider("report", "--format", "csv", joined).stderr).toContain(note(joined));
    expect(mmiostrider("report", "--to", "@3", joined).stderr).not.toContain("go back");
    const { stderr } = mmiostrider("merge", joined, whole("orderly.txt", accesses(9, 2)), "-o", "back.mmt");
    expect(stderr).toContain(note(joined, ": its events keep their order, which isn't that of time"));
    expect(stderr).not.toContain("orderly.txt: note: times");
    expect(mmiostrider("report", trace).stderr).toBe("");
  });
});

describe("a pager that isn't there", () => {
  const report = (pager: string) => {
    const command = `${process.execPath} ${programFile} report --to 0.8 ${trace}`;
    const environment = { ...process.env, TERM: "xterm", NO_COLOR: "1", PAGER: pager };
    const options = { encoding: "utf8", timeout: 60_000, env: environment } as const;
    const { stdout, status } = spawnSync("script", ["-qec", command, "/dev/null"], options);
    return { lines: stdout.replaceAll("\r\n", "\n").trimEnd().split("\n"), status };
  };

  test("is said, and all is printed without it", () => {
    const { lines, status } = report("nosuch");
    expect(lines[0]).toBe("mmiostrider: note: PAGER is nosuch, but there is no program nosuch; printing without it");
    expect(lines.slice(1)).toEqual(mmiostrider("report", "--to", "0.8", trace).stdout.trimEnd().split("\n"));
    expect(status).toBe(0);
  });

  test("is an error where only the shell can tell", () => {
    const { lines, status } = report("LESS=x nosuch");
    expect(lines.join("\n")).toContain(
      "mmiostrider: the shell couldn't run the pager `LESS=x nosuch`: it ended with exit code 127",
    );
    expect(status).toBe(1);
  });
});

describe("a log that lacks something", () => {
  const midst = log(
    "midst.txt",
    "R 4 0xd0000000 0x1",
    "MAP 1.000001 2 0xd0000000 0xffffc90000000000 0x1000 0x0 0",
    "R 4 0xd0000000 0x1",
  );
  const through = file(
    "through.log",
    "vfio_region_read  (0000:00:04.0:region0+0x8, 4) = 0x1\nvfio_region_write  (0000:00:04.0:region0+0x8, 0x1, 4)\n",
  );
  const notes = {
    [midst]: ["2 accesses use mappings that the log doesn't show being made: it may have begun later"],
    [through]: ["the physical addresses and the BARs' lengths are made up: the log has none", "the log has no times"],
  };

  test.each([midst, through])("is never called complete, and its trace and parts of it keep the notes: %s", (path) => {
    const [converted, part] = [`${path}.mmt`, `${path}-part.mmt`];
    expect(mmiostrider("convert", path, converted).status).toBe(0);
    expect(mmiostrider("cut", "--from", "@0", "-o", part, converted).status).toBe(0);
    for (const name of [path, converted, part]) {
      const { stdout, stderr, status } = mmiostrider("report", name);
      expect(lastLine(stdout)).toMatch(/^# 2 accesses, 0 lost, .*, nothing known to be missing$/);
      expect([stderr, status]).toEqual([
        notes[path]!.map((note) => `mmiostrider: ${name}: note: ${note}\n`).join(""),
        0,
      ]);
    }
    const piped = spawnSync(process.execPath, [programFile, "report", "-"], {
      input: readFileSync(converted),
      encoding: "utf8",
    });
    expect(piped.stderr).toContain(notes[path]![0]);
  });
});

describe("a damaged line of a log", () => {
  const access = "R 4 1.000001 1 0xd0000000 0x1 0x0 0";
  const path = file("damaged-line.txt", `VERSION 20070824\n${access}\n#${access}\nX${access.slice(1)}\n${access}\n`);
  const sentence = "1 line looks like a damaged line of mmiotrace's, and can't be read; the first is line 4";

  test("makes it incomplete for every command, and so its trace", () => {
    const converted = join(directory, "damaged-line.mmt");
    expect(mmiostrider("convert", path, converted)).toMatchObject({
      status: 3,
      stderr: expect.stringContaining(sentence),
    });
    for (const name of [path, converted]) {
      for (const words of [["report"], ["stat"], ["diff", name], ["cut", "-o", "damaged-part.mmt", "--from", "@0"]]) {
        const { stderr, status } = mmiostrider(...words, name);
        expect([stderr.includes(sentence), status], words.join(" ")).toEqual([true, 3]);
      }
      expect(lastLine(mmiostrider("report", name).stdout)).toMatch(/^# 2 accesses, .*, INCOMPLETE$/);
    }
    const back = join(directory, "damaged-line-again.txt");
    mmiostrider("convert", converted, back);
    expect(readFileSync(back)).toEqual(readFileSync(path));
  });
});

describe("facts that a log doesn't have", () => {
  const map = "MAP 0.999999 1 0xd0000000 0xffffc90000000000 0x1000 0x0 0";
  const bare = log("deviceless.txt", map, "R 4 0xd0000000 0x1");

  test("are no words of report's and stat's", () => {
    expect(mmiostrider("report", bare).stdout).toMatch(/-- map #1: 0x1000 bytes at 0xd0000000$/m);
    expect(mmiostrider("stat", "--by", "device", bare).stdout).toMatch(/^no device known +1 /m);
    const known = log(
      "known.txt",
      "PCIDEV 0018 8086100e b febc0000 0 0 0 0 0 0 20000 0 0 0 0 0 0 e1000",
      map,
      "R 4 0xd0000000 0x1",
    );
    expect(mmiostrider("stat", "--by", "device", known).stdout).toMatch(/^in no BAR +1 /m);
    expect(mmiostrider("report", trace).stdout).toMatch(/-- map #\d+: .*, uncached/);
  });
});

describe("CPUs, processes and contexts", () => {
  const map = "MAP 0.999999 1 0xd0000000 0xffffc90000000000 0x1000 0x0 0";
  const bare = log("cpuless.txt", map, "R 4 0xd0000000 0x1", "W 4 0xd0000000 0x2");
  const guest = file(
    "guest.log",
    "memory_region_ops_read cpu 1 mr 0x1 addr 0xd0000000 value 0x0 size 4 name 'nic'\n".repeat(2),
  );
  const through = file("cpuless-vfio.log", "vfio_region_read  (0000:00:04.0:region0+0x8, 4) = 0x1\n");
  const event = (letters: string) =>
    ` cat-7 [001] ${letters}1.000001: rwmmio_write: foo+0x8/0x10 [foo] width=32 val=0x1 addr=0xffffffc008100018\n`;
  const events = file("events.log", `# tracer: nop\n${event("..s1. ")}`);
  const fewer = file("fewer.log", `cpus=2\n${event("")}`);
  const called = file("called.log", `# tracer: nop\n${event("..s1. ").replace("foo+", "bar+0x1/0x2 [bar] -> foo+")}`);
  const traced = file("traced.txt", "VERSION 20070824\nR 4 1.000000 1 0xd0000000 0x1 0xffffffffc0000123 0\n");
  const rowOf = (path: string) =>
    JSON.parse(
      mmiostrider("report", "--format", "jsonl", "--filter", "access", path).stdout.split("\n")[0] || "{}",
    ) as Record<string, unknown>;

  test("are in a row only where the log has them", () => {
    const facts = ({ cpu, pid, context, mapping, address, pci_id }: Record<string, unknown>) => {
      return { cpu, pid, context, mapping, address, pci_id };
    };
    expect(facts(rowOf(bare))).toEqual({ mapping: 1, address: "0xd0000000" });
    expect(facts(rowOf(guest))).toEqual({ cpu: 1, mapping: 1, address: "0xd0000000" });
    expect(facts(rowOf(through))).toEqual({});
    const address = "0xffffffc008100018";
    expect(facts(rowOf(events))).toEqual({ cpu: 1, pid: 7, context: "softirq", address });
    expect(rowOf(events)).toMatchObject({ site: "foo+0x8 [foo]" });
    expect(rowOf(events)).not.toHaveProperty("site_address");
    expect(facts(rowOf(fewer))).toEqual({ cpu: 1, pid: 7, address });
    const csv = mmiostrider("convert", "--to", "csv", bare, "-").stdout.split("\n");
    const names = csv[0]!.split(",");
    const cells = csv[2]!.split(",");
    expect(["op", "cpu", "pid", "context"].map((name) => cells[names.indexOf(name)])).toEqual(["read", "", "", ""]);
  });

  test("rwmmio's callers are in rows and lines, without their made-up addresses", () => {
    expect(rowOf(called)).toMatchObject({ site: "foo+0x8 [foo]", caller: "bar+0x1 [bar]", module: "foo" });
    expect(rowOf(called)).not.toHaveProperty("caller_address");
    expect(mmiostrider("report", called).stdout).toContain(" foo+0x8 [foo] from bar+0x1 [bar]\n");
    const { traceEvents } = JSON.parse(mmiostrider("convert", "--to", "perfetto", called, "-").stdout);
    expect(traceEvents.find(({ cat }: { cat: string }) => cat === "write").args).toMatchObject({
      ...{ site: "foo+0x8 [foo]", caller: "bar+0x1 [bar]" },
    });
    expect(mmiostrider("stat", "--by", "site", called).stdout).toMatch(/^foo\+0x8 \[foo\] from bar\+0x1 \[bar\] +1 /m);
    expect(mmiostrider("convert", "--to", "mmiotrace", called, "called.txt").stderr).toContain(
      "callers, contexts, processes, symbols of sites",
    );
  });

  test("are unknown of losses, and of marks that an import makes", () => {
    const losses = [
      "# entries-in-buffer/entries-written: 2/9   #P:2",
      event("..s1. ").trimEnd(),
      "CPU:1 [LOST 5 EVENTS]",
    ];
    const lossy = file("lossy-events.log", `# tracer: nop\n${losses.join("\n")}\n${event("..s1. ")}`);
    const rowsOf = (path: string, filter: string) =>
      mmiostrider("report", "--format", "jsonl", "--filter", filter, path)
        .stdout.trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line))
        .map(({ op, cpu, pid, context, count }) => ({ op, cpu, pid, context, count }));
    const lost = [
      { op: "lost", count: 7 },
      { op: "lost", cpu: 1, count: 5 },
    ];
    expect(rowsOf(lossy, "op == lost")).toEqual(lost);
    const part = join(directory, "lossy-events.mmt");
    expect(mmiostrider("convert", lossy, part).status).toBe(3);
    expect(rowsOf(part, "op == lost")).toEqual(lost);
    expect(mmiostrider("report", lossy).stdout).toMatch(
      /^ {17}-- LOST: 7 records.*\n(?:.*\n)*? {15}1 -- LOST: 5 records/m,
    );
    expect(mmiostrider("report", guest).stdout).toMatch(/^ {17}-- mark: region 1 is nic$/m);
    expect(rowsOf(guest, "op == mark")).toEqual([{ op: "mark" }]);
    // a line that comes back has its CPU
    const back = log("lossy-back.txt", map, "R 4 0xd0000000 0x1", "CPU:1 [LOST 5 EVENTS]");
    const { stderr } = mmiostrider("convert", back, "lossy-again.txt");
    expect(stderr).not.toContain("left out");
    expect(readFileSync(join(directory, "lossy-again.txt"))).toEqual(readFileSync(back));
  });

  test("of two merged logs can be asked for as far as one has them", () => {
    const both = join(directory, "half-called.mmt");
    expect(mmiostrider("merge", traced, called, "-o", both).status).toBe(0);
    expect(mmiostrider("grep", "-c", ".", "--filter", "caller ~ bar", both).stdout).toBe("1\n");
  });

  test("are in no line of report's that lacks them, and no timeline's name", () => {
    expect(mmiostrider("report", bare).stdout).toMatch(/^ {4}1\.000001 {5}R 4 {3}0xd0000000 /m);
    expect(mmiostrider("report", guest).stdout).toMatch(/^ +1 R 4 {3}0xd0000000 /m);
    const timeline = mmiostrider("convert", "--to", "perfetto", bare, "-").stdout;
    expect(timeline).toContain('"CPU not known"');
    expect(timeline).not.toMatch(/"CPU 0"|"context"|"args":\{"event":1,"pid"/);
  });

  test("stat's table of sites says how many accesses have none, and keeps a name's rows apart", () => {
    expect(mmiostrider("stat", "--by", "site", bare).stdout.split("\n").slice(2)).toEqual(["no access has a site", ""]);
    const lines = ["0x0", "0xffffffffc0000123", "0x0", "0x0"].map(
      (pc, at) => `R 4 1.00000${at} 1 0xd0000000 0x1 ${pc} 0\n`,
    );
    const some = file("some-sites.txt", `VERSION 20070824\n${lines.join("")}`);
    const [head, row, rest] = mmiostrider("stat", "--by", "site", some).stdout.split("\n").slice(2);
    expect([head?.startsWith("site "), row, rest]).toEqual([
      true,
      expect.stringMatching(/^0xffffffffc0000123 +1 /),
      "not in this table: 3 accesses without a site",
    ]);
    expect(JSON.parse(mmiostrider("stat", "--json", some).stdout).withoutSite).toBe(3);
  });

  test("have no row of stat's where the log has none", () => {
    expect(mmiostrider("stat", "--by", "cpu", bare).stdout.split("\n").slice(2)).toEqual([
      "the log doesn't tell the CPUs",
      "",
    ]);
    expect(JSON.parse(mmiostrider("stat", "--json", bare).stdout).cpus).toEqual([]);
    expect(mmiostrider("stat", "--by", "cpu", guest).stdout).toMatch(/^1 +2 +2 +0 +8 B$/m);
    expect(JSON.parse(mmiostrider("stat", "--json", guest).stdout).cpus).toMatchObject([
      { cpu: 1, accesses: 2, hardirq: null, softirq: null },
    ]);
    expect(JSON.parse(mmiostrider("stat", "--json", events).stdout).cpus).toMatchObject([
      { cpu: 1, accesses: 1, hardirq: 0, softirq: 1 },
    ]);
  });

  test.each([
    [bare, "cpu == 0", "CPUs"],
    [bare, "not pid == 5", "processes"],
    [bare, "write or context != task", "contexts"],
    [bare, "locked", "ways of accesses, such as locked,"],
    [guest, "pid == 0", "processes"],
    [guest, "site ~ foo", "sites"],
    [guest, "module == foo", "sites"],
    [through, "address > 5", "physical addresses"],
    [through, "mapping == 0", "mappings"],
    [fewer, "context == task", "contexts"],
    [bare, "register == CTRL", "devices"],
    [bare, "device == e1000", "devices"],
    [bare, "driver == e1000", "devices"],
    [through, "not driver == e1000", "drivers"],
    [bare, "caller ~ foo", "callers"],
    [guest, "caller ~ foo", "callers"],
    [events, "caller ~ foo", "callers"],
    [bare, "site == 0x1", "sites"],
    [bare, "not module == e1000", "symbols of sites"],
    [traced, "module == e1000", "symbols of sites"],
  ])("a filter that asks for what the log doesn't have fails: %s %s", (path, filter, what) => {
    const { stdout, stderr, status } = mmiostrider("stat", "--filter", filter, path);
    expect([stdout, status]).toEqual(["", 2]);
    expect(stderr).toMatch(` has no ${what} to select by: `);
  });

  test.each([["report"], ["grep", "x"], ["diff", bare], ["cut", "-o", "asked.mmt"]])(
    "a filter that asks for what the log doesn't have fails %s, too",
    (...words) => {
      const { stderr, status } = mmiostrider(...words, "--filter", "cpu == 0", bare);
      expect([stderr, status]).toEqual([`mmiostrider: ${bare} has no CPUs to select by: cpu\n`, 2]);
      expect(existsSync(join(directory, "asked.mmt"))).toBe(false);
    },
  );

  test("a filter that asks for what a part of the log doesn't have says so", () => {
    const site = "0xffffffffc0000123";
    const accesses = ["0x0", site].map((pc, at) => `R 4 1.00000${at} 1 0xd0000000 0x1 ${pc} 0\n`);
    const late = file("late-site.txt", `VERSION 20070824\n${map}\n${accesses.join("")}`);
    const filter = ["--filter", `site == ${site}`];
    expect(mmiostrider("grep", "-c", ".", ...filter, late)).toMatchObject({ stdout: "1\n", status: 0 });
    expect(mmiostrider("stat", ...filter, "--to", "@1", late)).toMatchObject({
      status: 2,
      stderr: `mmiostrider: ${late} has no sites to select by in the selected part: site\n`,
    });
  });

  test("a filter that asks for what the log has is taken", () => {
    expect(mmiostrider("grep", "-c", ".", "--filter", "caller ~ bar", called).stdout).toBe("1\n");
    expect(mmiostrider("grep", "-c", ".", "--filter", "module == bar", called).stdout).toBe("1\n");
    expect(mmiostrider("grep", "-c", ".", "--filter", "site == 0xffffffffc0000123", traced).stdout).toBe("1\n");
    expect(mmiostrider("stat", "--filter", "caller !~ x", trace).status).toBe(0);
    expect(
      mmiostrider("grep", "-c", "foo", "--filter", "cpu == 1 and pid == 7 and context == softirq", events),
    ).toMatchObject({ stdout: "1\n", status: 0 });
    expect(mmiostrider("grep", "-c", ".", "--filter", "cpu == 1 and access", guest).stdout).toBe("2\n");
    expect(mmiostrider("grep", "-c", ".", "--filter", "context == task and pid != 0", trace).status).toBe(0);
  });

  test("are kept as unknown in parts, in merged traces, and in what is made of them", () => {
    const [part, both] = [join(directory, "cpuless-part.mmt"), join(directory, "cpuless-both.mmt")];
    expect(mmiostrider("cut", "--from", "@1", bare, "-o", part).status).toBe(0);
    expect(rowOf(part).cpu).toBeUndefined();
    expect(mmiostrider("merge", bare, events, "-o", both).status).toBe(0);
    expect(rowOf(both)).not.toHaveProperty("cpu");
    expect(mmiostrider("stat", "--filter", "cpu == 0", both).status).toBe(2);
  });

  test("are no words of verify's where the trace has none, nor counted", () => {
    const truth = file(
      "cpuless-truth.log",
      ["0x1", "0x3"]
        .map((value, at) => {
          const op = at === 0 ? "read" : "write";
          return `memory_region_ops_${op} cpu 1 mr 0x1 addr 0xd0000000 value ${value} size 4 name 'nic'\n`;
        })
        .join(""),
    );
    const { stdout } = mmiostrider("verify", bare, "--truth", truth);
    expect(stdout).toMatch(/^ {4}trace {2}W 4 0xd0000000 0x2 \(event 2\)$/m);
    expect(stdout).toMatch(/^ {4}truth {2}W 4 0xd0000000 0x3 CPU 1 \(line 2\)$/m);
    expect(stdout).not.toContain("another CPU");
    const json = JSON.parse(mmiostrider("verify", "--json", bare, "--truth", truth).stdout);
    expect([json.otherCpu, json.differences[0].trace.cpu, json.differences[0].truth.cpu]).toEqual([null, null, 1]);
  });
});

describe("convert to mmiotrace's text", () => {
  test("says what it leaves out, a line a kind", () => {
    const { stderr, status } = mmiostrider("convert", trace, "left-out.txt");
    expect([stderr.split("\n"), status]).toEqual([
      [
        expect.stringMatching(/^mmiostrider: note: \d+ events? of modules left out: mmiotrace has no lines for them$/),
        "mmiostrider: note: left out, because mmiotrace's lines have no place for them: CPUs, contexts, processes, symbols of sites, the wall clock",
        "",
      ],
      0,
    ]);
  });

  test("gives no made-up address for an instruction's, and says which device is unknown", () => {
    const line =
      " cat-1 [001] ..s1. 1.000001: rwmmio_write: foo+0x8/0x10 [foo] width=32 val=0x1 addr=0xffffffc008100018";
    const events = file("sites.log", `# tracer: nop\n${line}\n`);
    expect(mmiostrider("convert", events, "sites.txt").stderr).toContain("CPUs, contexts, processes, symbols of sites");
    expect(readFileSync(join(directory, "sites.txt"), "utf8")).toContain("W 4 1.000001 0 0xffffffc008100018 0x1 0x0 0");
    const vfio = file("nobody.log", "vfio_region_read  (0000:00:04.0:region0+0x8, 4) = 0x1\n");
    expect(mmiostrider("convert", vfio, "nobody.txt").stderr).toContain(
      "note: 1 device of unknown vendor: 0000:0000 in PCIDEV stands for none",
    );
  });
});

describe("bytes behind a trace's end", () => {
  const bytes = readFileSync(trace);
  const two = join(directory, "two.mmt");
  writeFileSync(two, Buffer.concat([bytes, bytes]));
  const behind = join(directory, "behind.mmt");
  writeFileSync(behind, Buffer.concat([bytes, Buffer.from("garbage")]));

  test("make it incomplete, and are said", () => {
    for (const [name, what] of [
      [two, "another trace begins behind its end, and isn't read: merge joins traces"],
      [behind, "something unknown follows its end, and isn't read"],
    ] as const) {
      const sentence = `incomplete: the trace is damaged at byte ${bytes.length}, ${what}\n`;
      for (const words of [
        ["report", name],
        ["stat", name],
        ["convert", "--to", "csv", name, "-"],
      ]) {
        const { stderr, status } = mmiostrider(...words);
        expect([stderr.endsWith(sentence), status], words.join(" ")).toEqual([true, 3]);
      }
      expect(lastLine(mmiostrider("report", name).stdout)).toContain("INCOMPLETE");
      // through a pipe, in which the rest comes later than the summary
      const piped = spawnSync(
        "sh",
        ["-c", '(cat "$1"; sleep 0.5; tail -c +"$2" "$3") | "$4" "$5" report -', "-"].concat([
          trace,
          `${bytes.length + 1}`,
          name,
          process.execPath,
          programFile,
        ]),
        { encoding: "utf8", timeout: 60_000, maxBuffer: 64 << 20 },
      );
      expect([piped.stderr.endsWith(sentence), piped.status]).toEqual([true, 3]);
    }
    expect(mmiostrider("report", trace).status).toBe(0);
  });
});

describe("grep", () => {
  test("with a bad file goes on with the others, and fails", () => {
    const bad = file("bad.txt", "no trace");
    const good = mmiostrider("grep", "-c", "STATUS", trace).stdout.trim();
    const { stdout, stderr, status } = mmiostrider(
      "grep",
      "-c",
      "STATUS",
      trace,
      bad,
      join(directory, "missing"),
      trace,
    );
    expect([stdout, status]).toEqual([`${trace}:${good}\n${trace}:${good}\n`, 1]);
    expect(stderr).toMatch(
      /^mmiostrider: \S+bad\.txt: at byte 0: .*\n(?: {2}.*\n)?mmiostrider: opening \S+missing failed: .*\n$/,
    );
    expect(mmiostrider("grep", "-c", "STATUS", bad).status).toBe(1);
  });
});

describe.skipIf(whyNoRnndb() !== undefined)(`a GPU that tells its variant late (${whyNoRnndb() ?? "there"})`, () => {
  // 0x1540 is PGRAPH's units only on some chipsets; before the first read of PMC.ID nobody knows which this is
  const rnndb = `${join(rnndbDirectory, "nv_mmio.xml")}:NV_MMIO`;
  const device = `PCIDEV 0100 10de05e2 b f2000000${" 0".repeat(6)} 1000000${" 0".repeat(6)} nouveau`;
  const read = (offset: number, value: number) => `R 4 0x${(0xf2000000 + offset).toString(16)} 0x${value.toString(16)}`;
  const gpu = log("gpu.txt", device, read(0x100, 0x04009100), read(0, 0x0a0000a2), read(0x100, 0x04009100));

  test("is named alike by every command, before and after", () => {
    const words = ["--registers", rnndb, gpu];
    const rows = mmiostrider("report", "--format", "jsonl", ...words);
    const [before, id, after] = rows.stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(id.register).toBe("PMC.ID");
    expect([before.register, before.meaning]).toEqual([after.register, after.meaning]);
    const lines = mmiostrider("report", ...words)
      .stdout.split("\n")
      .filter((line) => line.includes(" R 4 "));
    expect(lines[0]).toContain(`{ ${after.meaning} }`);
    const { registers } = JSON.parse(mmiostrider("stat", "--json", ...words).stdout);
    expect(registers.map(({ register, reads }: { register: string; reads: number }) => [register, reads])).toEqual([
      [after.register, 2],
      ["PMC.ID", 1],
    ]);
    const csv = mmiostrider("convert", "--to", "jsonl", "--registers", rnndb, gpu, "-").stdout;
    expect(csv).toBe(rows.stdout);
    const part = mmiostrider("report", "--format", "jsonl", "--to", "@0", ...words).stdout;
    expect(JSON.parse(part).meaning).toBe(after.meaning);
  });
});
