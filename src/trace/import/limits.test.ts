// tier: quick
// Limits of logs that take many lines to reach, at their last good and first bad place.
import { describe, expect, test } from "vitest";
import type { TextImport } from "./log-import.js";
import { QemuImport } from "./qemu.js";
import { RwmmioImport } from "./rwmmio.js";

/** Gives the reader more lines. */
function add<Reader extends TextImport>(reader: Reader, ...lines: string[]): Reader {
  reader.push(Buffer.from(lines.map((line) => `${line}\n`).join("")));
  return reader;
}

const each = (count: number, line: (number: number) => string) => Array.from({ length: count }, (_, at) => line(at));

test("QEMU's log has at most 65536 regions", () => {
  const line = (region: number) =>
    `memory_region_ops_write cpu 0 mr 0x${(region + 1).toString(16)} addr 0xfebc0008 value 0x1 size 4`;
  const reader = add(new QemuImport("log"), ...each(65_536, line), line(7));
  expect(reader.totals.accesses).toBe(65_537);
  expect(() => add(reader, line(65_536))).toThrow("log:65538: more than 65536 memory regions");
});

describe("a log of rwmmio", () => {
  const event = (kind: string, address: number, name = "f") => {
    const value = kind === "read" ? "" : " val=0x1";
    return `cat-1 [001] ..... 1.000001: rwmmio_${kind}: ${name} width=32${value} addr=0x${address.toString(16)}`;
  };

  test("has at most 16384 functions", () => {
    const line = (at: number) => event("write", 8, `f${at}`);
    const reader = add(new RwmmioImport("log"), ...each(16_384, line), line(7));
    expect(reader.totals.accesses).toBe(16_385);
    expect(() => add(reader, line(16_384))).toThrow("log:16386: more than 16384 callers");
  });

  test("of which only ends were traced, or only beginnings of writes, has each write once", () => {
    const ends = add(new RwmmioImport("log"), event("post_write", 8), event("post_write", 8));
    expect(ends.totals.accesses).toBe(2);
    const reader = add(new RwmmioImport("log"), ...each(65_536, (at) => event("write", 4 * at)));
    // as many as are remembered: the end of one that isn't among them is a write of its own
    expect(add(reader, event("post_write", 0xffff_fffc)).totals.accesses).toBe(65_537);
    // more: it may be the end of one that was forgotten
    add(reader, event("write", 4 * 65_536), event("post_write", 0xffff_fffc), event("post_write", 0));
    expect(reader.totals.accesses).toBe(65_538);
  });

  test("has no value of the reads that don't end, however many", () => {
    const reads = each(65_538, (at) => event("read", 4 * at));
    const reader = add(new RwmmioImport("log"), ...reads, event("read", 0), event("post_read", 4));
    reader.finish();
    expect(reader.incomplete).toEqual(["65,538 reads have no value in the log: no rwmmio_post_read follows"]);
  });
});
