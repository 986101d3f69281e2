// tier: quick
// Formats by content and by name.
import { expect, test } from "vitest";
import { detectInput, formatOfLine, outputFormatOf } from "./formats.js";

test.each([
  ["VERSION 20070824", "mmiotrace"],
  ["PCIDEV 0018 8086100e b 0 0", "mmiotrace"],
  ["LSPCI 00:00.0 x", "mmiotrace"],
  ["R 4 1.000000 1 0x1 0x1 0x0 0", "mmiotrace"],
  ["W\t4\t1.0\t1", "mmiotrace"],
  ["MAP 1.000000 1", "mmiotrace"],
  ["UNMAP 1.000000 1", "mmiotrace"],
  ["UNKNOWN 1.000000 1", "mmiotrace"],
  ["MARK 1.000000 x", "mmiotrace"],
  ["# tracer: mmiotrace", "mmiotrace"],
  ["# tracer: mmiotrace\r", "mmiotrace"],
  ["memory_region_ops_read cpu 0", "qemu"],
  ["memory_region_ram_device_write cpu 0", "qemu"],
  ["77@1700000000.000100:memory_region_ops_write cpu 0", "qemu"],
  ["2026-07-07T03:16:22Z memory_region_ops_write cpu 0", "qemu"],
  ["vfio_region_read (x", "vfio"],
  ["2026-07-07T03:16:22.158759Z vfio_region_write  (x", "vfio"],
  [" cat-1 [001] ..... 1.000001: rwmmio_write: f", "rwmmio"],
  ["x: rwmmio_post_read: f", "rwmmio"],
])("the line %j is one of %s", (line, format) => {
  expect(formatOfLine(line)).toBe(format);
  expect(detectInput(Buffer.from(`words\n\n${line}\nVERSION 20070824\n`, "latin1"))).toBe(format);
});

test.each([
  "VERSION 2007082",
  " VERSION 20070824",
  "PCIDEV 0018 8086100e",
  "PCIDEV 018 8086100e b",
  "LSPCI",
  "R 4 1 1 0x1",
  "R4 1.000000 1",
  "X 4 1.000000 1",
  "xMAP 1.000000 1",
  "MAP 1 1",
  "x memory_region_ops_read cpu 0",
  "memory_region_ops_fetch cpu 0",
  "memory_region_ops_read",
  "77@17.1:memory_region_ops_read cpu 0",
  "2026-07-07 03:16:22Z vfio_region_read (x",
  "vfio_region_reads (x",
  " cat-1 rwmmio_write: f",
  "x: rwmmio_wrote: f",
])("the line %j is of none", (line) => {
  expect(formatOfLine(line)).toBeUndefined();
  expect(detectInput(Buffer.from(`${line}\n`))).toBeUndefined();
});

test("ftrace's output without an event is rwmmio's; a trace is known by its first eight bytes", () => {
  for (const text of ["# tracer: nop\n#\n", "words\n# tracer: function\n", "cpus=4\n", "x\ncpus=16\n"]) {
    expect(detectInput(Buffer.from(text)), text).toBe("rwmmio");
  }
  for (const text of ["x # tracer: nop\n", "cpus=4 x\n", "xcpus=4\n", "cpus=\n", ""]) {
    expect(detectInput(Buffer.from(text)), text).toBeUndefined();
  }
  // docs/trace-format.md: the magic
  const magic = [0x8d, 0x4d, 0x4d, 0x54, 0x0d, 0x0a, 0x1a, 0x0a];
  expect([detectInput(Uint8Array.from(magic)), detectInput(Uint8Array.from([...magic, 1]))]).toEqual(["mmt", "mmt"]);
  for (let at = 0; at < 8; at += 1) {
    expect(detectInput(Uint8Array.from(magic.map((byte, place) => (place === at ? 1 : byte))))).toBeUndefined();
  }
  expect(detectInput(Uint8Array.from(magic.slice(0, 7)))).toBeUndefined();
});

test("a log's first megabyte is looked at", () => {
  const line = "VERSION 20070824\n";
  const detect = (before: number) => detectInput(Buffer.from(`${"x".repeat(before - 1)}\n${line}`));
  expect([detect((1 << 20) - line.length), detect(1 << 20)]).toEqual(["mmiotrace", undefined]);
});

test.each([
  ["a.mmt", "mmt"],
  ["A.MMT", "mmt"],
  ["a.mmt.gz", "mmt"],
  ["a.txt", "mmiotrace"],
  ["a.log", "mmiotrace"],
  ["a.mmiotrace.gz", "mmiotrace"],
  ["a.jsonl", "jsonl"],
  ["a.ndjson", "jsonl"],
  ["a.csv.gz", "csv"],
  ["a.parquet", "parquet"],
  ["a.pq", "parquet"],
  ["a.json", "perfetto"],
  ["a.trace", "perfetto"],
  ["a.perfetto", "perfetto"],
  ["a.pftrace", "perfetto"],
  ["a.gz.csv", "csv"],
  ["a", undefined],
  ["amt", undefined],
  ["a.mmt.gz.gz", undefined],
  ["a.mmt.xz", undefined],
  ["a.csv2", undefined],
  ["acsv", undefined],
  ["ajson", undefined],
  ["apq", undefined],
  ["a.txt.", undefined],
  ["a.jsonl2", undefined],
  ["a.parquet2", undefined],
  ["a.log2", undefined],
  ["atxt", undefined],
  ["ajsonl", undefined],
])("a file called %s is written as %s", (path, format) => {
  expect(outputFormatOf(path)).toBe(format);
});
