// tier: quick
// The words with which a conversion is refused, or told what it left out; files as sources, and logs as they come.
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeUpHeader, madeUpSummary, RecordList } from "../../../dev/test-support/made-up-records.js";
import { FormatError, UserError } from "../../base/errors.js";
import type { OutputFormat } from "../import/formats.js";
import { RecordKind } from "../record.js";
import { convert, convertPartitioned } from "./convert.js";
import { createTrace } from "./create-trace.js";
import { FileSource, withFileSource } from "./file-source.js";
import { openAsItComes } from "./live-log.js";
import { openInput } from "./open-log.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-convert-"));
afterAll(() => rmSync(directory, { recursive: true }));
const path = (name: string) => join(directory, name);
const file = (name: string, content: string | Uint8Array) => {
  writeFileSync(path(name), content);
  return path(name);
};

const kernels = "VERSION 20070824\nR 4 1.000010 1 0xfebc0008 0x80080783 0x0 0\n";
const timeless = "memory_region_ops_write cpu 0 mr 0x5 addr 0xfebc0008 value 0x1 size 4 name 'nic'\n";
let trace: string;
beforeAll(async () => {
  trace = path("one.mmt");
  const writer = await createTrace(trace, madeUpHeader());
  await writer.append(new RecordList().add({ kind: RecordKind.read, address: 0xfebc0008n, width: 4, tsc: 5n }).records);
  await writer.close({ ...madeUpSummary, incomplete: ["a driver was late"] });
});

const options = (to: OutputFormat) => ({ to, producer: "a test" });
async function failureOf(work: Promise<unknown>): Promise<UserError> {
  const error: unknown = await work.catch((thrown) => thrown);
  expect(error).toBeInstanceOf(UserError);
  return error as UserError;
}

describe("a conversion", () => {
  test.each([
    [
      "a.parquet.gz",
      "parquet",
      () => trace,
      /^Parquet is packed already: \S+a\.parquet\.gz would be no gzip$/,
      "choose a name without .gz",
    ],
    ["a.mmt", "mmt", () => trace, /one\.mmt is a trace already$/, undefined],
    [
      "a.json",
      "perfetto",
      () => file("timeless.log", timeless),
      /it has no times, and a time line can't be drawn of it$/,
      "JSON Lines, CSV and Parquet leave them out",
    ],
  ] as const)("into %s is refused", async (name, to, from, message, advice) => {
    const error = await failureOf(convert(from(), path(name), options(to)));
    expect([message.test(error.message), error.advice]).toEqual([true, advice]);
    expect(readdirSync(directory)).not.toContain(name);
  });

  test("with a list of mappings needs a log with virtual addresses", async () => {
    const log = file("kernels.txt", kernels);
    const error = await failureOf(convert(log, path("b.mmt"), { ...options("mmt"), ranges: [] }));
    expect(error.message).toBe(`${log} has no virtual addresses that a copy of vmallocinfo could translate`);
  });

  test("of a log without times into mmiotrace's lines says so", async () => {
    const { notes } = await convert(file("timeless.log", timeless), path("c.txt"), options("mmiotrace"));
    expect(notes).toContain("mmiotrace's lines need a time: 0.000000 stands for none");
    expect(readFileSync(path("c.txt"), "utf8")).toContain("W 4 0.000000 1 0xfebc0008 0x1 0x0 0\n");
    const csv = await convert(path("timeless.log"), path("c.csv"), options("csv"));
    expect(csv.notes).toEqual(["the log has no times"]);
  });

  test("tells why the trace is incomplete, and is packed where its name says so", async () => {
    const { incomplete } = await convert(trace, path("d.CSV.GZ"), options("csv"));
    expect(incomplete).toEqual(["a driver was late"]);
    expect(gunzipSync(readFileSync(path("d.CSV.GZ"))).toString()).toMatch(/^trace,event,.*\none,0,/);
  });

  test("tells its progress in events, and the end", async () => {
    const told: [number, number][] = [];
    for (const to of ["csv", "parquet"] as const) {
      await convert(trace, path(`e.${to}`), { ...options(to), onProgress: (done, all) => told.push([done, all]) });
    }
    expect(told.filter(([done, all]) => done === 1 && all === 1)).toHaveLength(2);
  });
});

describe("a data set of a folder", () => {
  test("has the traces below it by their paths; hidden files and others are left out", async () => {
    const folder = path("many");
    mkdirSync(join(folder, "deep"), { recursive: true });
    writeFileSync(join(folder, "b.txt"), kernels);
    writeFileSync(join(folder, "deep", "a b.mmt.gz"), gzipSync(readFileSync(trace)));
    writeFileSync(join(folder, ".hidden.txt"), kernels);
    writeFileSync(join(folder, "notes"), "nothing of use\n");
    const { notes, incomplete } = await convertPartitioned(folder, path("set"), ["trace"], options("parquet"));
    expect(notes).toEqual([
      `${join(folder, "b.txt")}: 1 access uses a mapping that the log doesn't show being made: it may have begun later`,
      expect.stringMatching(/^left out: \S+many\/notes: at byte 0: this is no trace of /),
    ]);
    expect(incomplete).toEqual([`${join(folder, "deep", "a b.mmt.gz")}: a driver was late`]);
    expect(readdirSync(path("set")).sort()).toEqual(["trace=b", "trace=deep%2Fa%20b"]);
    expect(readdirSync(join(path("set"), "trace=b"))).toEqual(["00000-b.parquet"]);
    expect(readdirSync(join(path("set"), "trace=deep%2Fa%20b"))).toEqual(["00001-deep_a_b.parquet"]);
  });

  test("without a trace is refused", async () => {
    mkdirSync(path("nothing"));
    expect(
      await failureOf(convertPartitioned(path("nothing"), path("set2"), ["cpu"], options("parquet"))),
    ).toMatchObject({
      ...{ message: `there is no trace in ${path("nothing")}`, advice: "the folder is empty" },
    });
    writeFileSync(path("nothing/a"), "words\n");
    writeFileSync(path("nothing/b"), "words\n");
    const error = await failureOf(convertPartitioned(path("nothing"), path("set2"), ["cpu"], options("parquet")));
    expect(error.advice).toMatch(/^left out: \S+nothing\/a: /);
    // a file that is named must be a trace
    const named = await failureOf(convertPartitioned(path("nothing/a"), path("set2"), ["cpu"], options("parquet")));
    expect(named).toBeInstanceOf(FormatError);
    expect(readdirSync(directory)).not.toContain("set2");
  });
});

describe("a file as a source", () => {
  test("is read by place, up to its end, and as it grows", async () => {
    const source = FileSource.open(file("bytes", "0123456789"));
    const read = async (offset: number, length: number) => Buffer.from(await source.read(offset, length)).toString();
    expect([source.name, await source.size(), source.coming]).toEqual([path("bytes"), 10, undefined]);
    expect([await read(0, 3), await read(8, 5), await read(10, 1), await read(20, 1)]).toEqual(["012", "89", "", ""]);
    writeFileSync(path("bytes"), "0123456789abc");
    expect([await read(8, 5), await source.size()]).toEqual(["89abc", 13]);
    await source.close();
    await expect(source.read(0, 1)).rejects.toThrow(`reading ${path("bytes")} at byte 0 failed: `);
  });

  test("has the name and the gaps that it is given", async () => {
    const source = FileSource.open(path("bytes"), { name: "a name", incomplete: ["a gap"] });
    expect([source.name, source.incomplete]).toEqual(["a name", ["a gap"]]);
    await source.close();
    expect(() => FileSource.open(path("absent"))).toThrow(`opening ${path("absent")} failed: `);
  });

  test("is unpacked; where it is cut or goes on otherwise it is refused", async () => {
    const text = "0123456789".repeat(1_000);
    const contentOf = (content: Uint8Array) =>
      withFileSource(file("packed", content), async (source) => {
        while (source.coming === true) await new Promise((resolve) => setTimeout(resolve, 1));
        return Buffer.from(await source.read(0, 20_000)).toString();
      });
    const packed = gzipSync(text);
    expect([await contentOf(Buffer.from(text)), await contentOf(packed)]).toEqual([text, text]);
    await expect(contentOf(packed.subarray(0, -9))).rejects.toThrow(/unexpected end of file/);
    await expect(contentOf(Buffer.concat([packed, Buffer.from("words")]))).rejects.toThrow(
      /5 bytes behind the packed file's end aren't packed with gzip, and aren't read/,
    );
  });
});

describe("a log as it comes", () => {
  async function opened(content: string) {
    const live = await openAsItComes(await openInput(file("live.log", content)));
    const { reader } = live;
    try {
      while (reader.source.coming === true) {
        await new Promise((resolve) => setTimeout(resolve, 5));
        await reader.refresh();
      }
      await reader.refresh();
      return { name: reader.source.name, events: reader.events, notes: [...live.notes] };
    } finally {
      await reader.close();
    }
  }

  test("is a trace with the log's name, and its notes at its end", async () => {
    expect(await opened(timeless)).toEqual({ name: path("live.log"), events: 2, notes: ["the log has no times"] });
    expect(await opened(kernels)).toMatchObject({ name: path("live.log"), events: 1 });
  });

  test("fails with its own fault, at once or later", async () => {
    await expect(opened("R 3 1.000010 1 0xfebc0008 0x1 0x0 0\n")).rejects.toThrow(
      `${path("live.log")}:1: an access of 3 bytes, which mmiotrace can't record`,
    );
    await expect(opened(`${kernels}${kernels.split("\n")[1]}\nMAP x\n`)).rejects.toThrow(
      `${path("live.log")}:4: this isn't how mmiotrace writes a mapping: "x" isn't a decimal number`,
    );
  });

  test("a trace is one, too", async () => {
    const live = await openAsItComes(await openInput(trace));
    while (live.reader.source.coming === true) await new Promise((resolve) => setTimeout(resolve, 5));
    await live.reader.refresh();
    expect([live.reader.events, live.reader.complete, live.notes]).toEqual([1, true, []]);
    await live.reader.close();
  });
});
