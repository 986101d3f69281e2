// tier: quick
// `convert` as a command: every output format, no leftovers after a failure, and the documented query of a data set, run by
// DuckDB and compared with `stat`.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { DuckDBInstance } from "@duckdb/node-api";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeUpHeader, madeUpRecords, madeUpSummary } from "../dev/test-support/made-up-records.js";
import { programFile } from "../dev/test-support/program.js";
import { testData } from "../dev/test-support/test-data.js";
import { sampleByTier } from "../dev/test-support/tiers.js";
import { projectDirectory } from "../src/base/paths.js";
import { type ColumnKind, columns } from "../src/trace/export/event-rows.js";
import { createTrace } from "../src/trace/node/create-trace.js";

const packed = testData("e1000-mmiotrace.txt.gz");
const text = gunzipSync(readFileSync(packed));
const directory = mkdtempSync(join(tmpdir(), "mmiostrider-convert-"));
afterAll(() => rmSync(directory, { recursive: true }));
const trace = join(directory, "e1000.mmt");
const madeUp = join(directory, "made-up.mmt");

function mmiostrider(args: string[], input?: Uint8Array, cwd = directory) {
  const options = { cwd, ...(input === undefined ? {} : { input }), timeout: 120_000, maxBuffer: 256 << 20 };
  const { stdout, stderr, status } = spawnSync(process.execPath, [programFile, ...args], options);
  return { stdout, stderr: stderr.toString(), status };
}

beforeAll(async () => {
  expect(mmiostrider(["convert", packed, trace])).toMatchObject({ stderr: "", status: 0 });
  const wall_ns = BigInt(Date.UTC(2026, 10, 23, 23, 59, 59)) * 1_000_000n;
  const clock = { ...madeUpHeader().clock, wall_ns: `0x${wall_ns.toString(16)}` as const };
  const writer = await createTrace(madeUp, madeUpHeader({ clock }));
  await writer.append(madeUpRecords(sampleByTier({ quick: 100_000, all: 200_000 }), 77));
  await writer.close(madeUpSummary);
});

describe("mmiotrace's text", () => {
  test("there and back, byte by byte: files, pipes, packed", () => {
    expect(mmiostrider(["convert", trace, "again.txt"])).toMatchObject({ stderr: "", status: 0 });
    expect(readFileSync(join(directory, "again.txt")).equals(text)).toBe(true);
    const piped = mmiostrider(["convert", "--to", "mmt", "-", "-"], text);
    expect(mmiostrider(["convert", "--to", "mmiotrace", "-", "-"], piped.stdout).stdout.equals(text)).toBe(true);
    expect(mmiostrider(["convert", packed, "again.log.gz"]).status).toBe(0);
    expect(gunzipSync(readFileSync(join(directory, "again.log.gz"))).equals(text)).toBe(true);
    const report = mmiostrider(["report", "--format", "mmiotrace", trace]).stdout;
    expect(report.equals(text)).toBe(true);
  });
});

test("report --format mmiotrace prints what convert writes, marks of bytes that are no UTF-8 as they are", () => {
  const odd = Buffer.from("VERSION 20070824\nMARK 0.000001 \xff\xfe\x80 caf\xe9\nMARK 0.000002 plain\n", "latin1");
  expect(mmiostrider(["convert", "--to", "mmt", "-", "odd.mmt"], odd)).toMatchObject({ stderr: "", status: 0 });
  expect(mmiostrider(["convert", "--to", "mmiotrace", "odd.mmt", "-"]).stdout).toEqual(odd);
  expect(mmiostrider(["report", "--format", "mmiotrace", "odd.mmt"])).toMatchObject({
    stdout: odd,
    stderr: "",
    status: 0,
  });
});

describe("tables", () => {
  test("JSON Lines and CSV are what report prints, whole traces of odd records too", () => {
    for (const [file, format] of [
      [trace, "csv"],
      [trace, "jsonl"],
      [madeUp, "csv"],
      [madeUp, "jsonl"],
    ] as const) {
      const converted = mmiostrider(["convert", file, `table.${format}`]);
      expect(converted.stderr).toBe("");
      const report = mmiostrider(["report", "--format", format, file]);
      expect(readFileSync(join(directory, `table.${format}`)).equals(report.stdout)).toBe(true);
    }
  });

  test("Parquet holds what JSON Lines says, as another reader reads it", async () => {
    for (const file of [trace, madeUp]) {
      expect(mmiostrider(["convert", file, "table.parquet"])).toMatchObject({ stderr: "", status: 0 });
      const lines = mmiostrider(["convert", "--to", "jsonl", file, "-"]).stdout.toString().trimEnd().split("\n");
      const expected = lines.map((line) => JSON.parse(line));
      const compressors = { GZIP: (bytes: Uint8Array) => new Uint8Array(gunzipSync(bytes)) };
      const rows = await parquetReadObjects({
        file: await asyncBufferFromFile(join(directory, "table.parquet")),
        compressors,
      });
      expect(rows.length).toBe(expected.length);
      expect(Object.keys(rows[0]!)).toEqual(
        columns.flatMap(({ name }) => (name === "value" ? [name, "value_high"] : [name])),
      );
      // Parquet's numbers are signed; text has them at full length.
      const cells: Record<ColumnKind, (value: string | number) => unknown> = {
        text: (value) => value,
        double: (value) => value,
        int: (value) => Number(value) | 0,
        long: (value) => BigInt.asIntN(64, BigInt(value)),
        bits: (value) => BigInt.asIntN(64, BigInt(value)),
        time: (value) => new Date(`${String(value).slice(0, -4)}Z`).getTime(),
      };
      for (const [index, json] of expected.entries()) {
        const row = rows[index]!;
        for (const { name, kind } of columns) {
          const [got, wanted] = [row[name] ?? null, json[name] === undefined ? null : cells[kind](json[name])];
          // JSON's readers round counts above 2^53.
          const rounded = name === "count" && got !== null ? Number(BigInt.asUintN(64, got as bigint)) : undefined;
          const same =
            kind === "time"
              ? Number(got) === Number(wanted)
              : rounded === undefined
                ? got === wanted
                : rounded === json.count;
          if (!same) expect({ index, name, value: got }).toEqual({ index, name, value: wanted });
        }
        const high = json.value === undefined ? 0n : (BigInt(json.value) >> 64n) & 0xffff_ffff_ffff_ffffn;
        expect(row.value_high ?? 0n).toBe(BigInt.asIntN(64, high));
      }
    }
  });

  test("Perfetto's JSON: an instant an access on its CPU's track and on its device's, in order, and counters of all", () => {
    expect(mmiostrider(["convert", trace, "e1000.json.gz"])).toMatchObject({ stderr: "", status: 0 });
    const json = JSON.parse(gunzipSync(readFileSync(join(directory, "e1000.json.gz"))).toString());
    type Event = { ph: string; pid: number; tid: number; name: string; ts: number; args: Record<string, number> };
    const events: Event[] = json.traceEvents;
    const instants = (group: number) =>
      events.filter(({ ph, pid, name }) => ph === "i" && pid === group && /^[RW] /.test(name));
    expect(instants(1).length).toBe(13_974);
    expect(instants(2).length).toBe(13_974);
    expect(instants(1)[0]).toMatchObject({ name: "R STATUS = 0x80080783", ts: 2_959_500, args: { width_bytes: 4 } });
    const times = instants(2).map(({ ts }) => ts);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    const counted = events.filter(({ ph }) => ph === "C");
    const sum = (name: string) => counted.reduce((total, { args }) => total + args[name]!, 0);
    expect([sum("reads"), sum("writes")]).toEqual([7_425, 6_549]);
    const named = events.filter(({ ph, name }) => ph === "M" && name === "thread_name");
    expect(named.map(({ args }) => args.name)).toEqual(["CPU not known", "0000:00:03.0 8086:100e BAR0"]);
    const slices = events.filter(({ ph }) => ph === "b" || ph === "e").map(({ ph, name }) => [ph, name]);
    expect(slices).toEqual([
      ["b", "mapping 1: 0000:00:03.0 BAR0"],
      ["e", "mapping 1: 0000:00:03.0 BAR0"],
    ]);
  });
});

describe("a data set", () => {
  const folder = join(directory, "traces");
  const query = /```sql\n([^`]+)```/.exec(readFileSync(join(projectDirectory, "docs/convert.md"), "utf8"))![1]!;

  async function ask(sql: string): Promise<Record<string, unknown>[]> {
    const database = await DuckDBInstance.create(":memory:");
    const connection = await database.connect();
    try {
      return (await connection.runAndReadAll(sql)).getRowObjects();
    } finally {
      connection.closeSync();
      database.closeSync();
    }
  }

  beforeAll(() => {
    mkdirSync(join(folder, "below"), { recursive: true });
    writeFileSync(join(folder, "e1000.mmt"), readFileSync(trace));
    writeFileSync(join(folder, "below/log.txt.gz"), gzipSync(text));
    writeFileSync(join(folder, "below/made up.mmt"), readFileSync(madeUp));
    writeFileSync(join(folder, "README"), "no trace\n");
    const made = mmiostrider(["convert", "--to", "parquet", "--partition", "device,date", "traces/"]);
    expect(made.status).toBe(0);
    expect(made.stderr).toMatch(/^mmiostrider: note: left out: traces\/README: at byte 0: this is no trace .*\n$/);
  });

  test("the query in the documentation says what stat says", async () => {
    const one = join(directory, "one");
    mkdirSync(one);
    const made = mmiostrider(["convert", "--partition", "device,date", trace, join(one, "traces.parquet")]);
    expect(made).toMatchObject({ stderr: "", status: 0 });
    expect(query).toContain("'traces.parquet/");
    const rows = await ask(query.replace("'traces.parquet/", `'${one}/traces.parquet/`));
    const stat = JSON.parse(mmiostrider(["stat", "--json", "--top", "0", trace]).stdout.toString());
    const key = (device: unknown, offset: unknown, width: unknown) => `${device} ${Number(offset)} ${width}`;
    const said = new Map(
      rows.map((row) => [
        key(row.device, row.offset, row.width_bytes),
        [Number(row.accesses), Number(row.writes), row.register ?? undefined],
      ]),
    );
    expect(said.size).toBe(rows.length);
    expect(stat.registers.length).toBe(rows.length);
    expect(rows.length).toBeGreaterThan(300);
    for (const found of stat.registers) {
      const expected = [found.accesses, found.writes, found.register ?? undefined];
      expect(said.get(key(found.device, found.offset, found.width_bytes))).toEqual(expected);
    }
    expect(rows[0]).toMatchObject({ register: "EECD", device: "0000:00:03.0" });
  });

  test("all the folder's traces are in it, by device and by day, nulls as nulls", async () => {
    const from = `read_parquet('${directory}/traces.parquet/**/*.parquet', hive_partitioning = true)`;
    const rows = await ask(
      `SELECT trace, device, date::VARCHAR AS date, count(*) AS n FROM ${from} WHERE op IN ('read', 'write') GROUP BY ALL`,
    );
    const counts = rows.map(({ trace, device, date, n }) => `${trace} ${device} ${date} ${n}`);
    expect(counts).toContain("e1000 0000:00:03.0 null 13974");
    expect(counts).toContain("below/log 0000:00:03.0 null 13974");
    const days = rows.filter(({ trace }) => trace === "below/made up").map(({ date }) => date);
    expect(new Set(days)).toEqual(new Set(["2026-11-23", "2026-11-24"]));
    const lines = mmiostrider(["convert", "--to", "jsonl", madeUp, "-"]).stdout.toString().trimEnd().split("\n");
    const [all] = await ask(`SELECT count(*) AS n FROM ${from} WHERE trace = 'below/made up'`);
    expect(Number(all!.n)).toBe(lines.length);
  });

  test("a data set is not written over another", () => {
    const again = mmiostrider(["convert", "--partition", "device", "traces", "traces.parquet"]);
    expect(again.status).toBe(1);
    expect(again.stderr).toContain("traces.parquet is there already");
  });

  test("a broken trace in the folder, and nothing is made", () => {
    const broken = join(directory, "broken");
    mkdirSync(broken);
    writeFileSync(join(broken, "a.mmt"), readFileSync(trace));
    writeFileSync(join(broken, "b.txt"), "VERSION 20070824\nR 4 nonsense\n");
    const { status, stderr } = mmiostrider(["convert", "--partition", "device", "broken", "set"]);
    expect([status, stderr]).toEqual([
      1,
      "mmiostrider: broken/b.txt:2: this isn't how mmiotrace writes an access: \"nonsense\" isn't a decimal number\n",
    ]);
    expect(readdirSync(directory).filter((name) => /^\.?set/.test(name))).toEqual([]);
  });
});

describe("a failure is one line, and nothing is left", () => {
  const before = () => readdirSync(directory).sort();
  const cases: [what: string, args: string[], status: number, message: RegExp][] = [
    ["a file that isn't there", ["convert", "nothing", "o.mmt"], 1, /opening nothing failed/],
    ["a file of another kind", ["convert", "/bin/sh", "o.mmt"], 1, /this is no trace of mmiostrider's/],
    ["an empty file", ["convert", "/dev/null", "o.mmt"], 1, /the file is empty/],
    ["a trace to a trace", ["convert", trace, "o.mmt"], 2, /is a trace already/],
    ["a name that says nothing", ["convert", trace, "o.xyz"], 2, /doesn't tell a format/],
    ["no output", ["convert", trace], 2, /needs IN and OUT/],
    ["a folder without --partition", ["convert", ".", "o.csv"], 2, /is a folder/],
    ["an unknown key", ["convert", "--partition", "colour", trace, "o"], 2, /knows no colour/],
    ["a folder that isn't there", ["convert", trace, "no/where/o.csv"], 1, /making no\/where\/o\.csv failed/],
    [
      "--vmallocinfo of nothing",
      ["convert", "--vmallocinfo", "/dev/null", trace, "o.csv"],
      1,
      /no ioremap\(\) mapping/,
    ],
  ];
  for (const [what, args, status, message] of cases) {
    test(what, () => {
      const names = before();
      const result = mmiostrider(args);
      expect(result.status).toBe(status);
      expect(result.stderr.split("\n")[0]).toMatch(message);
      expect(before()).toEqual(names);
    });
  }

  test("a packed log that is damaged", () => {
    const damaged = join(directory, "damaged.txt.gz");
    const bytes = readFileSync(packed);
    // the checksum at its end
    bytes.fill(0, bytes.length - 8, bytes.length - 4);
    writeFileSync(damaged, bytes);
    const { status, stderr } = mmiostrider(["convert", damaged, "o.mmt"]);
    expect([status, stderr]).toEqual([1, expect.stringContaining("damaged.txt.gz: it can't be unpacked: ")]);
    expect(before()).not.toContain("o.mmt");
  });

  test("a packed log that is cut is converted as far as it goes, and exits with 3", () => {
    const cut = join(directory, "cut.txt.gz");
    writeFileSync(cut, readFileSync(packed).subarray(0, 30_000));
    const { status, stderr, stdout } = mmiostrider(["convert", "--to", "mmiotrace", cut, "-"]);
    expect([status, stderr]).toEqual([3, expect.stringContaining("incomplete: the packed file is cut")]);
    expect(stdout.length).toBeGreaterThan(text.length / 3);
    expect(text.subarray(0, stdout.length).equals(stdout)).toBe(true);
  });

  test("a trace that is cut is converted as far as it goes, and exits with 3", () => {
    const cut = join(directory, "cut.mmt");
    writeFileSync(cut, readFileSync(madeUp).subarray(0, -20_000));
    const { status, stderr, stdout } = mmiostrider(["convert", "--to", "csv", cut, "-"]);
    expect(status).toBe(3);
    expect(stderr).toMatch(/incomplete: the trace is cut at byte \d+/);
    expect(stdout.toString().split("\n").length).toBeGreaterThan(1_000);
  });

  test("a full disk", () => {
    const command = `mkdir small && mount -t tmpfs -o size=64k none small && ${process.execPath} ${programFile} convert e1000.mmt small/o.csv; echo $?; ls -A small`;
    const { stdout, stderr } = spawnSync("unshare", ["--mount", "--map-root-user", "sh", "-c", command], {
      cwd: directory,
    });
    expect(stdout.toString()).toBe("1\n");
    expect(stderr.toString()).toBe(
      "mmiostrider: writing to small/o.csv failed: the disk is full\n  make room, or write to another disk\n",
    );
  });

  test("a reader that goes away ends it quietly", () => {
    const command = `${process.execPath} ${programFile} convert --to jsonl ${madeUp} - | head -n 2`;
    const { stdout, stderr, status } = spawnSync("bash", ["-o", "pipefail", "-c", command]);
    expect([stdout.toString().split("\n").length, stderr.toString(), status]).toEqual([3, "", 0]);
  });
});
