// The kernel's own mmiotrace text, through import, trace file and export: nothing may change.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { openTrace } from "../file-source.js";
import { madeUpHeader, madeUpSummary, RecordList } from "../made-up-records.js";
import { nodeCodec } from "../node-codec.js";
import { TraceReader } from "../reader.js";
import { RecordKind } from "../record.js";
import { MemorySource } from "../source.js";
import { TraceWriter } from "../writer.js";
import { MmiotraceWriter } from "./mmiotrace.js";
import { importMmiotrace } from "./mmiotrace-import.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-mmiotrace-"));
afterAll(() => rmSync(directory, { recursive: true }));

async function exportText(reader: TraceReader): Promise<string> {
  const writer = new MmiotraceWriter(reader.header);
  let text = writer.head(reader.header.pciFunctions);
  for await (const { events } of reader.batches()) for (const event of events) text += writer.lines(event);
  return text;
}

async function throughTrace(text: string): Promise<string> {
  const path = join(directory, "trace");
  const imported = importMmiotrace(text);
  const writer = await TraceWriter.create(path, imported.header);
  await writer.append(imported.records);
  await writer.close({ ...madeUpSummary, accesses: imported.accesses });
  const reader = await openTrace(path);
  const out = await exportText(reader);
  await reader.close();
  return out;
}

test("what the kernel printed for e1000 comes back byte by byte", async () => {
  const text = gunzipSync(
    readFileSync(new URL("../../../test/data/e1000-mmiotrace.txt.gz", import.meta.url)),
  ).toString();
  expect(text.split("\n").filter((line) => /^[RW] /.test(line)).length).toBe(13_974);
  expect(await throughTrace(text)).toBe(text);
});

test("every kind of line comes back", async () => {
  const text = [
    "VERSION 20070824",
    "PCIDEV 0018 8086100e b febc0000 c001 0 0 0 0 feb80000 20000 40 0 0 0 0 40000 e1000",
    "PCIDEV 0101 10de0040 10 fd000000 d000000c 0 f000000c 0 0 0 1000000 10000000 0 1000000 0 0 20000 ",
    "MARK 0.000000 Lost 17 events.",
    "MAP 1.000001 1 0xfebc0000 0xffffc90000080000 0x20000 0x0 0",
    "R 4 1.000010 1 0xfebc0008 0x80080783 0x0 0",
    "W 8 12345.678901 1 0xfebc0010 0xffffffffffffffff 0xffffffffc0000123 0",
    "UNKNOWN 12345.678902 1 0xfebc0020 0f,6f,00 0xffffffffc0000456 0",
    "MARK 12345.700000 ring test: link up  (two spaces)",
    "UNMAP 12345.800000 1 0x0 0",
    "UNMAP 12345.900000 -1 0x0 0",
    "",
  ].join("\n");
  expect(await throughTrace(text)).toBe(text);
});

test("accesses of more than eight bytes become one line for every eight", async () => {
  const path = join(directory, "wide");
  const list = new RecordList();
  const value: [bigint, bigint] = [0x1111111122222222n, 0x3333333344444444n];
  list.add({
    kind: RecordKind.write,
    address: 0xfebc0000n,
    width: 16,
    value,
    mapping: 3,
    tsc: 2_000_000n,
    site: 0x10n,
  });
  const writer = await TraceWriter.create(path, madeUpHeader({ pciFunctions: [] }));
  await writer.append(list.records);
  await writer.close(madeUpSummary);
  const reader = await TraceReader.open(new MemorySource(readFileSync(path)), nodeCodec);
  expect(await exportText(reader)).toBe(
    "VERSION 20070824\n" +
      "W 8 0.001000 3 0xfebc0000 0x1111111122222222 0x10 0\n" +
      "W 8 0.001000 3 0xfebc0008 0x3333333344444444 0x10 0\n",
  );
});
