// tier: quick
// The numbers in the closing lines of the reading commands, and in their remarks: each is made different from all others of its line,
// so that a wrong one is noticed. true-words.test.ts has the same for losses and for parts. Child processes of the compiled program.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { madeUpHeader, madeUpSummary } from "../dev/test-support/made-up-records.js";
import { bar, Recording } from "../dev/test-support/made-up-truth.js";
import { programFile } from "../dev/test-support/program.js";
import { rnndbDirectory, whyNoRnndb } from "../dev/test-support/rnndb.js";
import { testData } from "../dev/test-support/test-data.js";
import type { TraceHeader, TraceSummary } from "../src/trace/header.js";
import { createTrace } from "../src/trace/node/create-trace.js";
import { openTrace } from "../src/trace/node/file-source.js";
import { RecordKind } from "../src/trace/record.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-numbers-"));
afterAll(() => rmSync(directory, { recursive: true }));

function mmiostrider(...parameters: string[]) {
  const options = { encoding: "utf8", timeout: 60_000, maxBuffer: 64 << 20, cwd: directory } as const;
  return spawnSync(process.execPath, [programFile, ...parameters], options);
}

function file(name: string, lines: readonly string[]): string {
  const path = join(directory, name);
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

async function made(
  name: string,
  recording: Recording,
  { header = {}, summary = {} }: { header?: Partial<TraceHeader>; summary?: Partial<TraceSummary> } = {},
): Promise<string> {
  const path = join(directory, name);
  const writer = await createTrace(path, madeUpHeader(header));
  await writer.append(recording.list.records);
  await writer.close({ ...madeUpSummary, ...summary });
  return path;
}

const times = <T>(count: number, make: (at: number) => T) => Array.from({ length: count }, (_, at) => make(at));
const lastLine = (text: string) => text.trimEnd().split("\n").at(-1);
/** The notes and reasons on standard error, without the program's and the file's names. */
const notesOf = (text: string) =>
  text.split("\n").flatMap((line) => /(?:note|incomplete): (.*)$/.exec(line)?.[1] ?? []);

describe("report and stat", () => {
  test("count the unreadable records of a damaged block", async () => {
    const recording = new Recording().map();
    for (let at = 0; at < 150_000; at += 1) recording.traced("read", 4, 4 * (at % 100), BigInt(at * 7919));
    const path = await made("damaged.mmt", recording, { summary: { accesses: 150_000, mappings: 1 } });
    const reader = await openTrace(path);
    const [, second] = reader.blocks;
    const { offset } = second!.stored!;
    const { records } = second!;
    await reader.close();
    const bytes = readFileSync(path);
    bytes[offset + 200]! ^= 0xff;
    writeFileSync(path, bytes);
    expect(records).toBeGreaterThan(1000);
    const shown = records.toLocaleString("en-US");
    const read = (150_000 - records).toLocaleString("en-US");
    const report = mmiostrider("report", path);
    expect([lastLine(report.stdout), report.status]).toEqual([
      `# ${read} of 150,000 accesses, 0 lost, 0 escaped, 1 mapping, ${shown} unreadable, INCOMPLETE`,
      3,
    ]);
    expect(notesOf(report.stderr)[0]).toContain(`at byte ${offset}, `);
    expect(notesOf(report.stderr)[0]).toContain(`: ${shown} records can't be read`);
    expect(mmiostrider("stat", path).stdout.split("\n").slice(0, 2)).toEqual([
      expect.stringMatching(new RegExp(`^${read} accesses.*: ${read} reads `)),
      `${shown} records unreadable`,
    ]);
  });

  test("count escapes of a cut trace as far as it goes", async () => {
    const recording = new Recording().map();
    for (let at = 0; at < 4; at += 1) {
      recording.list.add({ kind: RecordKind.escape, address: bar, width: 3, value: [0x0f6f00n, 0n] });
    }
    recording.list.add({ kind: RecordKind.lost, value: [7n, 0n] });
    for (let at = 0; at < 80_000; at += 1) recording.traced("read", 4, 4 * (at % 100), BigInt(at * 7919));
    const path = await made("cut.mmt", recording);
    const bytes = readFileSync(path);
    writeFileSync(path, bytes.subarray(0, bytes.length - 2000));
    expect(lastLine(mmiostrider("report", path).stdout)).toMatch(
      /^# \d\d,\d{3} accesses, cut: 7 lost, 4 escaped in this part, the rest isn't known, INCOMPLETE$/,
    );
    expect(mmiostrider("stat", path).stdout.split("\n")[1]).toBe(
      "7 lost, 4 escaped in the counted part; the trace is cut: the rest isn't known",
    );
  });

  test("have the span of times, the mappings without a decoy, and the rows that aren't shown", async () => {
    const start = BigInt(madeUpHeader().clock.tsc);
    const recording = new Recording().map();
    for (let at = 0; at < 13; at += 1) {
      const tsc = start + BigInt(at) * 250_000_000n;
      recording.traced("write", 4, 4 * at, 1n, { tsc, site: 0xffffffffc0000000n + BigInt(at % 3) });
    }
    recording.list.add({ kind: RecordKind.unrecorded, address: bar, value: [0x1000n, 5n], width: 1 });
    recording.list.add({ kind: RecordKind.unrecorded, address: bar, value: [0x1000n, 6n], width: 1 });
    const path = await made("spanned.mmt", recording);
    const { clock } = madeUpHeader();
    const span = (12 * 250_000_000) / clock.tscFrequency_hz;
    const [first, second] = mmiostrider("stat", path).stdout.split("\n");
    const shown = span >= 1 ? `${span.toFixed(2)} s` : `${(span * 1000).toPrecision(3)} ms`;
    expect(first).toBe(`13 accesses in ${shown}: 0 reads (0 B), 13 writes (52 B)`);
    expect(second).toBe("11 mappings without a decoy, not recorded");
    const tables = mmiostrider("stat", "--top", "2", path).stdout;
    expect(tables).toContain("… and 11 more (--top 0 shows all)");
    expect(tables).toContain("… and 1 more (--top 0 shows all)");
    expect(JSON.parse(mmiostrider("stat", "--json", path).stdout)).toMatchObject({
      ...{ accesses: 13, reads: 0, writes: 13, read_bytes: 0, written_bytes: 52, events: 16, unrecorded: 11 },
      between_s: { least: span / 12, greatest: span / 12 },
    });
  });
});

describe("remarks about names and losses", () => {
  test("count losses that a summary gives no reason for", async () => {
    const path = await made("unexplained.mmt", new Recording().map(), { summary: { lost: 7, escaped: 3 } });
    expect(notesOf(mmiostrider("stat", path).stderr)).toEqual([
      "7 records were lost and 3 instructions escaped emulation",
    ]);
    const undecoyed = await made("undecoyed.mmt", new Recording().map(), { summary: { unrecorded: 5 } });
    expect(notesOf(mmiostrider("stat", undecoyed).stderr)).toEqual([
      "5 mappings got no decoy: accesses through them are not in the trace",
    ]);
  });

  test("count the faults of register databases", async () => {
    const database = (name: string, registers: readonly string[]) =>
      file(name, [`<database><domain name="MINE">`, ...registers, "</domain></database>"]);
    const faulty = database(
      "faulty.xml",
      times(4, (at) => `<reg32 name="R${at}"/>`),
    );
    expect(mmiostrider("report", "--registers", faulty, testData("e1000.mmt")).stderr.split("\n")[0]).toBe(
      `mmiostrider: ${faulty}:2: register R0 has no offset, and 3 other faults`,
    );
    const recording = new Recording().map();
    for (let at = 0; at < 27; at += 1) recording.traced("read", 4, 4 * at, 1n);
    const path = await made("faults.mmt", recording);
    const typeless = database(
      "typeless.xml",
      times(27, (at) => `<reg32 offset="${4 * at}" name="R${at}" type="NOTYPE${at}"/>`),
    );
    const told = mmiostrider("report", "--registers", typeless, path).stderr.trimEnd().split("\n");
    expect(told.filter((line) => line.includes("NOTYPE")).length).toBe(5);
    expect(told.at(-1)).toBe("mmiostrider: … and 22 more faults in register databases");
  });

  test.skipIf(whyNoRnndb() !== undefined)(
    `count names given before a device told its variant (${whyNoRnndb() ?? "there"})`,
    () => {
      const lines = [
        `PCIDEV 0100 10de05e2 b f2000000${" 0".repeat(6)} 1000000${" 0".repeat(6)} nouveau`,
        ...times(3, (at) => `R 4 1.00000${at} 1 0xf2000100 0x4009100 0x0 0`),
        "R 4 1.000004 1 0xf2000000 0xa0000a2 0x0 0",
        "R 4 1.000005 1 0xf2000100 0x4009100 0x0 0",
      ];
      const rnndb = `${join(rnndbDirectory, "nv_mmio.xml")}:NV_MMIO`;
      // as it comes, a line after the other: the reader can't look ahead
      const script = `(printf '%s\\n%s\\n%s\\n%s\\n' "$3" "$4" "$5" "$6"; sleep 3; printf '%s\\n%s\\n' "$7" "$8") | "$0" "$1" report --registers "$2" -`;
      const { stderr } = spawnSync("sh", ["-c", script, process.execPath, programFile, rnndb, ...lines], {
        encoding: "utf8",
        timeout: 60_000,
      });
      expect(stderr).toContain("note: 3 accesses were named before the device told its variant");
    },
  );
});

describe("grep, cut, merge", () => {
  const trace = testData("e1000.mmt");

  test("count what they found and wrote", () => {
    expect(mmiostrider("grep", "-c", "watchdog", trace).stdout).toBe(
      `${mmiostrider("report", trace).stdout.match(/^.*watchdog.*$/gm)?.length}\n`,
    );
    const [one, two, all] = ["one.mmt", "two.mmt", "all.mmt"];
    expect(mmiostrider("cut", "--to", "@30", trace, "-o", one).stderr).toMatch(/^\d+ events\n$/);
    const events = (name: string) => mmiostrider("report", "--format", "jsonl", name).stdout.split("\n").length - 1;
    const cut = mmiostrider("cut", "--from", "@31", "--to", "@97", trace, "-o", two);
    expect(cut.stderr).toBe(`${events(two)} events\n`);
    expect(events(two)).not.toBe(events(one));
    const merged = mmiostrider("merge", one, two, one, "-o", all);
    expect(lastLine(merged.stderr)).toBe(`${events(all)} events of 3 traces`);
    expect(events(all)).toBe(2 * events(one) + events(two));
    expect(merged.stderr).toContain(`${events(one)} events are in it twice`);
    const json = JSON.parse(mmiostrider("merge", "--json", one, two, "-o", all).stdout);
    expect(json).toMatchObject({ events: events(one) + events(two), bytes: readFileSync(join(directory, all)).length });
  });
});

describe("diff", () => {
  const log = (name: string, lines: readonly string[]) =>
    file(name, [
      "VERSION 20070824",
      "MAP 1.000000 1 0xd0000000 0xffffc90000000000 0x10000 0x0 0",
      ...lines.map((line, at) => line.replace(/^(. \d+) (.*)$/, `$1 1.${String(at).padStart(6, "0")} 1 $2 0x0 0`)),
    ]);

  test("counts the values that may differ", () => {
    const values = (reads: string, writes: string) => [
      ...times(5, (at) => `R 4 0xd000${(0x1000 + 4 * at).toString(16)} ${reads}`),
      ...times(3, () => `W 4 0xd0002000 ${writes}`),
    ];
    const [one, two] = [log("may-a.txt", values("0x1", "0x1")), log("may-b.txt", values("0x2", "0x3"))];
    expect(lastLine(mmiostrider("diff", "--mask", "+0x2000", one, two).stdout)).toBe(
      "the same, but for the values of 5 reads (--reads counts them) and 3 values that --mask or --like-a may let differ",
    );
    const rows = mmiostrider("diff", one, two).stdout;
    expect(rows).toMatch(/^mapping 0xd0000000\+0x10000 +8 +3 +5 +0 +0$/m);
  });
});

describe("verify", () => {
  const reads = (count: number, offset: number) =>
    times(count, (at) => ({ offset: offset + 4 * at, value: BigInt(at + 1) }));

  test("counts differences, of which it shows ten, and the accesses of each side", async () => {
    const recording = new Recording().map();
    for (const { offset, value } of reads(5, 0)) recording.both(offset, value);
    for (const { offset, value } of reads(17, 0x100)) {
      recording.traced("write", 4, offset, value).logged("write", 4, offset, value + 1n);
    }
    for (const { offset, value } of reads(2, 0x200)) recording.logged("read", 4, offset, value);
    for (const { offset, value } of reads(3, 0x300)) recording.both(offset, value);
    const path = await made("differing.mmt", recording);
    const { stdout } = mmiostrider("verify", path, "--truth", file("differing.log", recording.log));
    expect(stdout).toMatch(/ nic +25 +27 +no: 17 differ, 2 missing$/m);
    expect(stdout).toContain("\n… and 9 more\n");
    expect(lastLine(stdout)).toBe("NOT identical: 17 accesses differ, 2 are missing in the trace");
  });

  test("stops after so many differences that their number is the least one", async () => {
    const recording = new Recording().map();
    for (let at = 0; at < 3_000; at += 1) {
      recording.traced("write", 4, 4 * (at % 64), BigInt(at)).logged("write", 4, 4 * (at % 64), BigInt(at + 100_000));
    }
    const path = await made("hopeless.mmt", recording);
    const { stdout } = mmiostrider("verify", path, "--truth", file("hopeless.log", recording.log));
    const least = 1024;
    expect(stdout).toMatch(/ nic +3,000 +3,000 +no: at least 1,024 differ$/m);
    expect(stdout).toContain(`\n… and at least ${(least - 10).toLocaleString("en-US")} more\n`);
    expect(lastLine(stdout)).toBe("NOT identical: at least 1,024 accesses differ");
  });

  test("counts accesses while nothing was mapped, and behind a cut trace's end", async () => {
    const recording = new Recording();
    for (const { offset, value } of reads(6, 0x40)) recording.logged("read", 4, offset, value);
    recording.map();
    for (const { offset, value } of reads(4, 0)) recording.both(offset, value);
    recording.unmap();
    for (const { offset, value } of reads(3, 0x80)) recording.logged("read", 4, offset, value);
    const path = await made("unmapped.mmt", recording);
    const log = file("unmapped.log", recording.log);
    const { stdout } = mmiostrider("verify", path, "--truth", log, "--leave-out-unmapped");
    expect(stdout).toMatch(
      /^left out of the log: 0 accesses at addresses that the trace never had mapped, 9 while (?:perhaps )?no recorded mapping covered them$/m,
    );
    expect(lastLine(stdout)).toMatch(/^identical: 4 accesses, /);

    const killed = new Recording().map();
    for (const { offset, value } of reads(7, 0)) killed.both(offset, value);
    for (const { offset, value } of reads(5, 0x80)) killed.logged("read", 4, offset, value);
    const part = await made("killed.mmt", killed);
    const cut = mmiostrider("verify", part, "--truth", file("killed.log", killed.log), "--cut").stdout;
    expect(cut).toMatch(/, 5 behind the trace's end$/m);
    expect(lastLine(cut)).toMatch(/^identical: 7 accesses, /);
  });

  test("counts the trace's own losses and escapes", async () => {
    const recording = new Recording().map();
    for (const { offset, value } of reads(3, 0)) recording.both(offset, value);
    recording.list.add({ kind: RecordKind.lost, value: [8n, 0n] });
    for (let at = 0; at < 2; at += 1) {
      recording.list.add({ kind: RecordKind.escape, address: bar, width: 3, value: [0x0f6f00n, 0n] });
    }
    const path = await made("lossy.mmt", recording, { summary: { lost: 8, escaped: 2 } });
    const { stdout } = mmiostrider("verify", path, "--truth", file("lossy.log", recording.log));
    expect(lastLine(stdout)).toBe(
      "NOT identical: 8 records were lost while recording; 2 instructions escaped emulation",
    );
  });
});

describe("imports", () => {
  const imported = (name: string, lines: readonly string[], ...options: string[]) => {
    const { stderr } = mmiostrider("convert", ...options, file(name, lines), `${name}.mmt`);
    return notesOf(stderr);
  };

  test("of mmiotrace count lines, losses and escapes", () => {
    const access = (at: number, mapping = 7) => `R 4 1.00000${at} ${mapping} 0xd0000000 0x1 0x0 0`;
    expect(
      imported("all.txt", [
        "# tracer: mmiotrace",
        "# entries-in-buffer/entries-written: 90/113   #P:1",
        ...times(2, (at) => access(at)),
        ...times(3, (at) => access(at).replace("R 4", "R  4")),
        "UNKNOWN 1.000009 7 0xd0000000 0f,6f,00 0x0 0",
        "UNKNOWN 1.000009 7 0xd0000000 0f,6f,01 0x0 0",
        ...times(4, (at) => `some words ${at}`),
        ...times(6, () => "CPU:0 [LOST EVENTS]"),
      ]),
    ).toEqual([
      "5 accesses use mappings that the log doesn't show being made: it may have begun later",
      "3 lines aren't written as the kernel writes them; in a new log they are in the kernel's way",
      "4 lines say nothing known; kept as marks",
      "the head in line 2 announces 90 entries, of which at most 11 are in the log",
      "23 events were lost when the log was made",
      "events were lost in 6 places, and the log doesn't say how many",
      "2 instructions weren't understood when the log was made",
    ]);
    expect(lastLine(mmiostrider("report", "all.txt").stdout)).toBe(
      "# 5 accesses, 23 and more lost, 2 escaped, 0 mappings, INCOMPLETE",
    );
    expect(mmiostrider("stat", "all.txt").stdout.split("\n")[1]).toBe("23 and more lost, 2 escaped");
  });

  test("of QEMU's log count ports, devices' accesses, other lines and spoilt ones", () => {
    const line = (cpu: number, address: string) =>
      `memory_region_ops_read cpu ${cpu} mr 0x1 addr ${address} value 0x1 size 4 name 'nic'`;
    expect(
      imported("qemu.log", [
        line(0, "0xfebc0000"),
        ...times(5, () => `4242@1700000000.500000:${line(0, "0xfebc0000")}`),
        ...times(3, () => line(-1, "0xfebc0000")),
        ...times(7, () => line(0, "0x80")),
        ...times(4, () => "qemu-system-x86_64: a word"),
        ...times(2, () => `word: ${line(0, "0xfebc0000")}`),
      ]),
    ).toEqual([
      "7 port accesses are left out",
      "3 accesses were made by devices, shown as CPU 65535",
      "4 lines of other kinds are left out",
      "the log's first event has no time: 5 later times are left out",
      "2 lines have a memory_region_ops event behind something else, and aren't understood; the first is line 21",
    ]);
  });

  test("of VFIO's and rwmmio's logs count what is left out or unknown", () => {
    const vfio = (region: number) => `vfio_region_read  (0000:00:04.0:region${region}+0x8, 4) = 0x1`;
    expect(
      imported("vfio.log", [...times(2, () => vfio(0)), ...times(3, () => vfio(8)), ...times(5, () => "libvirt")]),
    ).toEqual([
      "3 accesses to no BAR are left out",
      "5 lines of other kinds are left out",
      "the physical addresses and the BARs' lengths are made up: the log has none",
      "the log has no times",
    ]);
    const event = (what: string, address: string) => ` cat-1 [001] ..... 1.000001: rwmmio_${what} addr=${address}`;
    const list = file("vmallocinfo", [
      "0xffffc90000100000-0xffffc90000122000  139264 e1000_probe+0x1/0x2 [e1000] phys=0xfebc0000 ioremap",
    ]);
    const write = "write: foo+0x8/0x10 [foo] width=32 val=0x1";
    const events = [
      "# tracer: nop",
      ...times(2, () => event(write, "0xffffc90000100008")),
      ...times(3, () => event(write, "0xffffc90000200008")),
      ...times(4, (at) => event("read: foo+0x8/0x10 [foo] width=32", `0xffffc900001000${10 + at}`)),
      ...times(6, () => " cat-1 [001] ..... 1.000001: sched_switch: words"),
    ];
    expect(imported("rwmmio.log", events, "--vmallocinfo", list)).toEqual([
      "3 accesses lie in no mapping of --vmallocinfo's, with a virtual address",
      "6 lines of other kinds are left out",
      "4 reads have no value in the log: no rwmmio_post_read follows",
    ]);
  });
});

describe("convert to mmiotrace's text", () => {
  test("counts modules, devices without ids and BARs with made-up places", async () => {
    const recording = new Recording();
    for (let at = 0; at < 3; at += 1) {
      recording.list.addText({ kind: RecordKind.module, site: 0xffffffffc0000000n, mapping: 4096 }, `module${at}`);
    }
    const path = await made("modules.mmt", recording, {
      header: { clock: { ...madeUpHeader().clock, wall_ns: "0x0" } },
    });
    expect(notesOf(mmiostrider("convert", path, "modules.txt").stderr)).toContain(
      "3 events of modules left out: mmiotrace has no lines for them",
    );
    const vfio = file("two.log", [
      "vfio_region_read  (0000:00:04.0:region0+0x8, 4) = 0x1",
      "vfio_region_read  (0000:00:04.0:region2+0x8, 4) = 0x1",
      "vfio_region_read  (0000:00:05.0:region0+0x8, 4) = 0x1",
    ]);
    expect(notesOf(mmiostrider("convert", vfio, "two.txt").stderr)).toEqual(
      expect.arrayContaining([
        "the places and lengths of 3 BARs in PCIDEV lines are made up: the log has none",
        "2 devices of unknown vendor: 0000:0000 in PCIDEV stands for none",
      ]),
    );
  });
});
