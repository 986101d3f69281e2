// tier: quick
// One event of each kind as a row of a table: JSON Lines, CSV, Parquet, and a data set of Parquet files.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeUpHeader, madeUpSummary, RecordList } from "../../../dev/test-support/made-up-records.js";
import type { OutputFormat } from "../import/formats.js";
import { type ConvertOptions, convert, convertPartitioned } from "../node/convert.js";
import { createTrace } from "../node/create-trace.js";
import { callerInRecord, functionInRecord, RecordFlag, RecordKind } from "../record.js";
import { inSpace } from "../space.js";
import { traceName } from "./event-rows.js";
import { rowGroupRows } from "./parquet.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-tables-"));
afterAll(() => rmSync(directory, { recursive: true }));
const path = (name: string) => join(directory, name);

const start = BigInt(madeUpHeader().clock.tsc);
const [site, library] = [0xffffffffc0000120n, 0xffffffff81000010n];
const nic = "0000:00:04.0";
/** A second before midnight. */
const wall_ns = BigInt(Date.UTC(2026, 10, 23, 23, 59, 59)) * 1_000_000n;
const clock = { ...madeUpHeader().clock, wall_ns: `0x${wall_ns.toString(16)}` as const };
/** The time stamp of so many microseconds after the start, at 2 GHz. */
const at = (time_us: number) => start + 2_000n * BigInt(time_us);

function oneOfEach(): RecordList {
  const list = new RecordList();
  list.addText({ kind: RecordKind.symbol, site, tsc: at(0) }, "nic_write+0x20/0x80 [nic]");
  list.addText({ kind: RecordKind.symbol, site: library, tsc: at(0) }, "iowrite32+0x10/0x20");
  const common = { cpu: 1, pid: 77, mapping: 1 };
  const mapped = { ...common, address: 0xfebc0000n, value: [0x20000n, 1n] as [bigint, bigint] };
  list.add({ ...mapped, kind: RecordKind.map, tsc: at(1), site });
  const access = { ...common, address: 0xfebc0008n, width: 4 };
  list.add({ ...access, kind: RecordKind.read, value: [0x80080783n, 0n], tsc: at(2), site });
  list.add({
    ...{
      ...access,
      kind: RecordKind.write,
      value: [5n, 0n],
      tsc: at(3),
      flags: RecordFlag.hardirq | RecordFlag.locked,
    },
    ...{ site: library, caller: callerInRecord(site) },
  });
  list.add({ ...access, kind: RecordKind.write, address: 0xfed00000n, value: [6n, 0n], tsc: at(4), site: 0x1234n });
  list.add({ ...access, kind: RecordKind.read, address: inSpace("ports", 0xc010n), width: 2, mapping: 0, tsc: at(5) });
  list.add({
    ...common,
    kind: RecordKind.escape,
    address: 0xfebc0010n,
    value: [0x6f0fn, 0n],
    width: 2,
    tsc: at(6),
    site,
  });
  list.add({
    ...common,
    kind: RecordKind.unrecorded,
    address: 0xfebc0000n,
    value: [0x1000n, 3n],
    width: 4,
    tsc: at(7),
  });
  const about = (result: bigint) => functionInRecord({ device: nic, value: result });
  const interrupt = { cpu: 1, mapping: about(0n).mapping, address: 24n, site };
  list.add({ ...interrupt, kind: RecordKind.irqEntry, value: [35n, about(0n).value], tsc: at(8) });
  list.add({ ...interrupt, kind: RecordKind.irqExit, value: [0n, about(1n).value], tsc: at(9) });
  const buffer = { cpu: 1, mapping: about(0n).mapping, address: 0x8000n, width: (3 << 2) | 1 };
  list.add({ ...buffer, kind: RecordKind.dmaMap, value: [0x1_8000n, about(0x100n).value], tsc: at(10), site });
  list.add({ ...access, kind: RecordKind.write, value: [0x8040n, 0n], tsc: at(11), site });
  list.add({ ...buffer, kind: RecordKind.dmaUnmap, value: [0n, about(0x100n).value], tsc: at(12) });
  list.addText({ kind: RecordKind.mark, tsc: at(13) }, 'a "mark", and more');
  list.add({ kind: RecordKind.lost, value: [9n, 0n], tsc: at(14) });
  list.addText({ kind: RecordKind.module, site: 0xffffffffc0000000n, mapping: 0x8000, tsc: at(15) }, "nic");
  const gone = { kind: RecordKind.module, site: 0xffffffffc0000000n, mapping: 0x8000, flags: RecordFlag.gone };
  list.addText({ ...gone, tsc: at(16) }, "nic");
  list.add({ ...mapped, kind: RecordKind.unmap, tsc: at(2_000_000) });
  return list;
}

const tell = () => ({ name: "STATUS", meaningOf: (value: bigint) => (value === 5n ? "FD | LU" : undefined) });
const options = (to: OutputFormat): ConvertOptions => ({ to, producer: "a test", makeTeller: () => ({ tell }) });

/** Makes a trace of these records; returns its path. */
async function traceFile(name: string, list: RecordList, wall: `0x${string}` = clock.wall_ns): Promise<string> {
  const writer = await createTrace(path(name), madeUpHeader({ clock: { ...clock, wall_ns: wall } }));
  await writer.append(list.records);
  await writer.close(madeUpSummary);
  return path(name);
}

let trace: string;
beforeAll(async () => {
  trace = await traceFile("one.mmt", oneOfEach());
});

const common = (event: number, time_us: number, op: string) => ({
  ...{ trace: "one", event, time_s: time_us / 1e6, wall: `2026-11-23T23:59:59.${`${time_us}`.padStart(6, "0")}Z` },
  ...{ cpu: 1, pid: 77, context: "task", op },
});
const device = { device: nic, pci_id: "8086:100e", driver: "e1000" };
const bar = (offset: number) => ({ ...device, bar: 0, offset, address: `0x${(0xfebc0000 + offset).toString(16)}` });
const driver = { site: "nic_write+0x20 [nic]", site_address: "0xffffffffc0000120", module: "nic" };
const noTask = { cpu: 0, pid: 0 };

/** Each row's cells. */
const rows = [
  { ...common(2, 1, "map"), ...bar(0), ...driver, mapping: 1, length_bytes: "0x20000" },
  {
    ...common(3, 2, "read"),
    ...bar(8),
    width_bytes: 4,
    value: "0x80080783",
    register: "STATUS",
    ...driver,
    mapping: 1,
  },
  {
    ...{ ...common(4, 3, "write"), context: "hardirq", ...bar(8), width_bytes: 4, value: "0x5", register: "STATUS" },
    ...{ meaning: "FD | LU", site: "iowrite32+0x10", site_address: "0xffffffff81000010", module: "kernel" },
    ...{ caller: driver.site, caller_address: driver.site_address, mapping: 1, flags: "locked" },
  },
  {
    ...{ ...common(5, 4, "write"), address: "0xfed00000", width_bytes: 4, value: "0x6", site: "0x1234" },
    ...{ site_address: "0x1234", mapping: 1 },
  },
  {
    ...{ ...common(6, 5, "read"), ...device, bar: 1, offset: 0x10, address: "0xc010", space: "ports", width_bytes: 2 },
    ...{ value: "0x0", register: "STATUS", mapping: 0 },
  },
  { ...common(7, 6, "escape"), ...bar(0x10), ...driver, mapping: 1, text: "0f 6f" },
  { ...common(8, 7, "unrecorded"), ...bar(0), length_bytes: "0x1000", count: 3, text: expect.any(String) },
  { ...common(9, 8, "interrupt"), pid: 0, ...device, ...driver, text: "entry", irq: 24, vector: 35 },
  { ...common(10, 9, "interrupt"), pid: 0, ...device, ...driver, text: "exit: handled", irq: 24 },
  {
    ...{ ...common(11, 10, "dma-map"), pid: 0, ...device, address: "0x18000", ...driver, length_bytes: "0x100" },
    ...{ text: "streaming to-device", bus: "0x8000", dma: "dma#1" },
  },
  {
    ...{ ...common(12, 11, "write"), ...bar(8), width_bytes: 4, value: "0x8040", register: "STATUS", ...driver },
    ...{ mapping: 1, dma: "dma#1+0x40" },
  },
  {
    ...{ ...common(13, 12, "dma-unmap"), pid: 0, ...device, length_bytes: "0x100", text: "streaming to-device" },
    ...{ bus: "0x8000", dma: "dma#1" },
  },
  { ...common(14, 13, "mark"), ...noTask, text: 'a "mark", and more' },
  { ...common(15, 14, "lost"), cpu: undefined, pid: undefined, context: undefined, count: 9 },
  {
    ...{ ...common(16, 15, "module"), ...noTask, address: "0xffffffffc0000000", module: "nic", length_bytes: "0x8000" },
    text: "nic",
  },
  {
    ...{ ...common(17, 16, "module"), ...noTask, address: "0xffffffffc0000000", module: "nic", length_bytes: "0x8000" },
    ...{ text: "nic went", flags: "gone" },
  },
  {
    ...{ ...common(18, 2_000_000, "unmap"), wall: "2026-11-24T00:00:01.000000Z", ...bar(0), mapping: 1 },
    length_bytes: "0x20000",
  },
];

async function linesOf(name: string, to: OutputFormat): Promise<string[]> {
  await convert(trace, path(name), options(to));
  return readFileSync(path(name), "utf8").trimEnd().split("\n");
}

describe("each kind of event", () => {
  test("as JSON: what it has, and nothing else", async () => {
    const got = (await linesOf("one.jsonl", "jsonl")).map((line) => JSON.parse(line));
    expect(got).toEqual(rows);
  });

  test("as CSV: the same cells, and empty ones", async () => {
    const json = (await linesOf("again.jsonl", "jsonl")).map((line) => JSON.parse(line));
    const [head, ...lines] = await linesOf("one.csv", "csv");
    const names = head!.split(",");
    const cells = (line: string) =>
      [...line.matchAll(/("(?:[^"]|"")*"|[^,]*)(?:,|$)/g)]
        .slice(0, names.length)
        .map(([, cell]) => (cell!.startsWith('"') ? cell!.slice(1, -1).replaceAll('""', '"') : cell!));
    for (const [index, line] of lines.entries()) {
      expect(cells(line), line).toEqual(names.map((name) => String(json[index][name] ?? "")));
    }
    expect(lines.length).toBe(rows.length);
    expect(lines[12]).toContain(',"a ""mark"", and more",');
  });

  test("in Parquet: the same cells as numbers, times and texts", async () => {
    const json = (await linesOf("more.jsonl", "jsonl")).map((line) => JSON.parse(line));
    const got = await parquetRows("one.parquet", trace);
    expect(got.length).toBe(rows.length);
    for (const [index, row] of got.entries()) {
      for (const [name, cell] of Object.entries(row)) {
        const wanted = json[index][name] ?? null;
        const shown =
          cell instanceof Date
            ? `${cell.toISOString().slice(0, -1)}000Z`.replace(/\.(\d{3})000Z/, (_all, ms) => `.${ms}`)
            : typeof cell === "bigint" && typeof wanted === "string"
              ? `0x${BigInt.asUintN(64, cell).toString(16)}`
              : typeof cell === "bigint"
                ? Number(cell)
                : cell;
        if (name === "value_high") expect(cell).toBe(null);
        else if (name === "wall") expect(String(wanted).startsWith(String(shown))).toBe(true);
        else expect([index, name, shown]).toEqual([index, name, wanted]);
      }
    }
  });
});

const compressors = { GZIP: (bytes: Uint8Array) => new Uint8Array(gunzipSync(bytes)) };

async function parquetRows(name: string, from: string): Promise<Record<string, unknown>[]> {
  await convert(from, path(name), options("parquet"));
  return parquetReadObjects({ file: await asyncBufferFromFile(path(name)), compressors });
}

test("values of more than 64 bits have a second column in Parquet", async () => {
  const list = new RecordList();
  const value: [bigint, bigint] = [0xffff_ffff_ffff_fffen, 0x1234n];
  list.add({ kind: RecordKind.write, address: 0xfebc0000n, width: 16, value, mapping: 1, tsc: at(1) });
  const [row] = await parquetRows("wide.parquet", await traceFile("wide.mmt", list));
  expect(row).toMatchObject({ width_bytes: 16, value: -2n, value_high: 0x1234n });
});

test("a log's time of day is unknown where its start is", async () => {
  const list = new RecordList();
  list.addText({ kind: RecordKind.mark, tsc: at(1) }, "x");
  await convert(await traceFile("undated.mmt", list, "0x0"), path("undated.jsonl"), options("jsonl"));
  expect(JSON.parse(readFileSync(path("undated.jsonl"), "utf8"))).toMatchObject({ time_s: 1e-6 });
  expect(readFileSync(path("undated.jsonl"), "utf8")).not.toContain("wall");
});

test("a Parquet file of many rows has groups of rows, none larger than is kept in memory", async () => {
  const list = new RecordList();
  const count = rowGroupRows + 10;
  for (let number = 0; number < count; number += 1) {
    list.add({ kind: RecordKind.write, address: 0xfebc0000n, width: 4, value: [BigInt(number), 0n], tsc: at(number) });
  }
  const many = await traceFile("many.mmt", list);
  await convert(many, path("many.parquet"), options("parquet"));
  const { row_groups } = await parquetMetadataAsync(await asyncBufferFromFile(path("many.parquet")));
  expect(row_groups.map(({ num_rows }) => Number(num_rows))).toEqual([rowGroupRows, 10]);
  await convert(await traceFile("none.mmt", new RecordList()), path("none.parquet"), options("parquet"));
  const none = await parquetMetadataAsync(await asyncBufferFromFile(path("none.parquet")));
  expect([Number(none.num_rows), none.row_groups]).toEqual([0, []]);
});

describe("a data set", () => {
  test("has each row in its folder, which has the columns that aren't in the file", async () => {
    await convertPartitioned(trace, path("set"), ["device", "op", "date"], options("parquet"));
    const found: string[] = [];
    for (const below of readdirSync(path("set"), { recursive: true }) as string[]) {
      if (!below.endsWith(".parquet")) continue;
      const part = await parquetReadObjects({ file: await asyncBufferFromFile(path(`set/${below}`)), compressors });
      expect(Object.keys(part[0]!)).not.toContain("op");
      expect(Object.keys(part[0]!)).toContain("cpu");
      for (const row of part) found.push(`${row.event} ${below.replace(/\/[^/]*$/, "")}`);
    }
    const nothing = "__HIVE_DEFAULT_PARTITION__";
    const wanted = rows.map(({ event, op, wall, ...row }) => {
      const folder = "device" in row ? "0000%3A00%3A04.0" : nothing;
      return `${event} device=${folder}/op=${op}/date=${wall.slice(0, 10)}`;
    });
    expect(found.sort()).toEqual(wanted.sort());
  });

  test("of a folder has all traces in it by their names, and says what it left out", async () => {
    writeFileSync(path("set/README"), "no trace\n");
    writeFileSync(path("set/copy of one.mmt"), readFileSync(trace));
    const { notes, incomplete } = await convertPartitioned(path("set"), path("all"), ["trace"], options("parquet"));
    expect(incomplete).toEqual([]);
    expect(notes.filter((note) => note.includes("README"))).toEqual([expect.stringMatching(/^left out: .*README: /)]);
    const folders = readdirSync(path("all"));
    expect(folders).toEqual(["trace=copy%20of%20one"]);
    expect(readdirSync(path("all/trace=copy%20of%20one"))).toEqual(["00000-copy_of_one.parquet"]);
  });

  test("of more files than may be open is refused, and leaves nothing", async () => {
    const list = new RecordList();
    for (let cpu = 0; cpu <= 512; cpu += 1) {
      list.add({ kind: RecordKind.read, address: 0xfebc0000n, width: 4, cpu, tsc: at(cpu) });
    }
    const wide = await traceFile("cpus.mmt", list);
    await expect(convertPartitioned(wide, path("too-many"), ["cpu"], options("parquet"))).rejects.toThrow(
      /partitioning by cpu makes more than 512 files/,
    );
    expect(readdirSync(directory)).not.toContain("too-many");
  });

  test("of no trace is refused", async () => {
    await expect(convertPartitioned(path("set/README"), path("none"), ["op"], options("parquet"))).rejects.toThrow(
      /README/,
    );
    expect(readdirSync(directory)).not.toContain("none");
  });
});

test.each([
  ["Parquet under a name of gzip", "parquet", "x.parquet.gz", /Parquet is packed already/],
  ["a trace under a name of gzip", "mmt", "x.mmt.gz", /is a trace already/],
] as const)("refused: %s", async (_what, to, name, message) => {
  await expect(convert(trace, path(name), options(to))).rejects.toThrow(message);
  expect(readdirSync(directory)).not.toContain(name);
});

test("a new trace is not named as if it were packed", async () => {
  await expect(createTrace(path("x.mmt.gz"), madeUpHeader())).rejects.toMatchObject({
    message: `a trace is packed already: ${path("x.mmt.gz")} would be no gzip`,
    advice: "choose a name without .gz",
  });
});

test.each([
  ["/tmp/runs.gz/e1000.mmt", "e1000"],
  ["e1000.mmiotrace.gz", "e1000"],
  ["a.gz.log.txt", "a.gz.log"],
  ["kernel.log", "kernel"],
  ["mmt", "mmt"],
  ["a.mmt.old", "a.mmt.old"],
])("the trace in %s is called %s", (path, name) => {
  expect(traceName(path)).toBe(name);
});

test("a time line is written as JSON, for each access two instants", async () => {
  const { traceEvents } = JSON.parse((await linesOf("one.json", "perfetto")).join("\n"));
  const accesses = traceEvents.filter(
    ({ ph, cat }: { ph: string; cat: string }) => ph === "i" && /read|write/.test(cat),
  );
  expect(accesses.length).toBe(2 * rows.filter(({ op }) => op === "read" || op === "write").length);
});

test("a log without times becomes tables without them, but no time line", async () => {
  const log = path("timeless.log");
  writeFileSync(log, "memory_region_ops_write cpu 0 mr 0x5 addr 0xfebc0008 value 0x1 size 4 name 'nic'\n");
  const { notes } = await convert(log, path("timeless.jsonl"), options("jsonl"));
  expect(notes).toContain("the log has no times");
  expect(readFileSync(path("timeless.jsonl"), "utf8")).not.toContain("time_s");
  await expect(convert(log, path("timeless.json"), options("perfetto"))).rejects.toThrow(/it has no times/);
  expect(readdirSync(directory)).not.toContain("timeless.json");
  const text = await convert(log, path("timeless.txt"), options("mmiotrace"));
  expect(text.notes).toContain("mmiotrace's lines need a time: 0.000000 stands for none");
});
