// tier: quick
// The kernel's own mmiotrace text stays unchanged through import, trace file and export.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, describe, expect, test } from "vitest";
import { madeUpHeader, madeUpSummary, RecordList } from "../../../dev/test-support/made-up-records.js";
import { eventsOfOtherRecords } from "../file/block-events.js";
import { TraceReader } from "../file/reader.js";
import { MemorySource } from "../file/source.js";
import type { TraceHeader } from "../header.js";
import { importText } from "../import/log-import.js";
import { MmiotraceImport } from "../import/mmiotrace.js";
import { nodeCodec } from "../node/codec.js";
import { convert } from "../node/convert.js";
import { createTrace } from "../node/create-trace.js";
import { RecordKind, readRecord } from "../record.js";
import { MmiotraceWriter } from "./mmiotrace.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-mmiotrace-"));
afterAll(() => rmSync(directory, { recursive: true }));

async function exportText(reader: TraceReader): Promise<string> {
  const writer = new MmiotraceWriter(reader.header);
  let text = Buffer.from(writer.head(reader.header.pciFunctions)).toString();
  for await (const { events } of reader.batches()) for (const event of events) text += writer.lines(event);
  return text;
}

/** Imports `text` in pieces of `chunk_bytes`, and exports the trace as text again. */
async function throughTrace(text: string | Buffer, chunk_bytes = 1 << 20): Promise<string> {
  return (await bytesThroughTrace(Buffer.from(text), chunk_bytes)).toString();
}

async function bytesThroughTrace(bytes: Buffer, chunk_bytes = 1 << 20): Promise<Buffer> {
  const log = join(directory, "log");
  const trace = join(directory, "log.mmt");
  const out = join(directory, "log.again");
  const chunks = (async function* () {
    for (let at = 0; at < bytes.length; at += chunk_bytes) yield bytes.subarray(at, at + chunk_bytes);
  })();
  await importText(new MmiotraceImport(log), chunks, (header) => createTrace(trace, header));
  await convert(trace, out, { to: "mmiotrace", producer: "test" });
  return readFileSync(out);
}

test("the kernel's text of e1000 comes back byte by byte", async () => {
  const text = gunzipSync(
    readFileSync(new URL("../../../test/data/e1000-mmiotrace.txt.gz", import.meta.url)),
  ).toString();
  expect(text.split("\n").filter((line) => /^[RW] /.test(line)).length).toBe(13_974);
  expect(await throughTrace(text)).toBe(text);
  expect(await throughTrace(text, 1_009)).toBe(text);
});

test("the lines before the first event come back in any encoding", async () => {
  const text = Buffer.from(`VERSION 20070824\nLSPCI 00:03.0 "Caf\xe9 \xff"\n${nic}\xc3\xa9\n${event}\n`, "latin1");
  expect((await bytesThroughTrace(text)).equals(text)).toBe(true);
});

test("a log whose lines end in carriage returns comes back with them", async () => {
  const lines = ["VERSION 20070824", nic, "# tracer: mmiotrace", event, "rw what?", "MARK 5.000001 \xff", event, ""];
  const text = Buffer.from(lines.join("\r\n"), "latin1");
  expect((await bytesThroughTrace(text)).equals(text)).toBe(true);
  const without = Buffer.from(text.toString("latin1").replace(`${event}\r\nrw`, `${event}\nrw`), "latin1");
  expect((await bytesThroughTrace(without)).equals(text)).toBe(true);
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
  const writer = await createTrace(path, madeUpHeader({ pciFunctions: [] }));
  await writer.append(list.records);
  await writer.close(madeUpSummary);
  const reader = await TraceReader.open(new MemorySource(readFileSync(path)), nodeCodec);
  expect(await exportText(reader)).toBe(
    "VERSION 20070824\n" +
      "W 8 0.001000 3 0xfebc0000 0x1111111122222222 0x10 0\n" +
      "W 8 0.001000 3 0xfebc0008 0x3333333344444444 0x10 0\n",
  );
});

const event = "R 4 1.000010 1 0xfebc0008 0x80080783 0x0 0";
const nic = "PCIDEV 0018 8086100e b febc0000 c001 0 0 0 0 feb80000 20000 40 0 0 0 0 40000 e1000";
const bridge = "PCIDEV 0000 80861237 0 0 0 0 0 0 0 0 0 0 0 0 0 0 0 ";

describe("all lines of the kernel come back byte by byte:", () => {
  const cases: Record<string, string[]> = {
    "a lost mark before the devices": ["VERSION 20070824", "MARK 0.000000 Lost 17 events.", nic, event],
    "a lost mark among the devices": ["VERSION 20070824", bridge, "MARK 0.000000 Lost 1 events.", nic, event],
    "a lost mark behind the devices": ["VERSION 20070824", nic, "MARK 0.000000 Lost 5 events.", event],
    "devices in another order than their addresses'": ["VERSION 20070824", nic, bridge, event],
    "two devices with one number, of two domains": ["VERSION 20070824", nic, nic.replace("e1000", "other"), event],
    "a device behind the first event": ["VERSION 20070824", event, nic, event],
    "LSPCI lines": ["VERSION 20070824", 'LSPCI 00:03.0 "Ethernet" [8086]', nic, event, "LSPCI again"],
    "the head of ftrace's trace file": [
      "# tracer: mmiotrace",
      "#",
      "# entries-in-buffer/entries-written: 3/20   #P:1",
      "#           TASK-PID     CPU#  |||||  TIMESTAMP  FUNCTION",
      event,
      event,
      "# tracer: mmiotrace",
      "#",
      "# entries-in-buffer/entries-written: 1/1   #P:1",
      event,
    ],
    "ftrace's reports of lost events": [
      "VERSION 20070824",
      "CPU:3 [LOST 1234 EVENTS]",
      nic,
      event,
      "CPU:0 [LOST EVENTS]",
      "MARK 0.000000 Lost 55 events.",
      event,
      "CPU:3 [LOST 55 EVENTS]",
      event,
    ],
    "its own fallbacks": ["VERSION 20070824", "rw what?", event, "map what?", "rw what?", event],
    "two logs in one": ["VERSION 20070824", nic, event, "VERSION 20070824", nic, event],
    "a part without a head": [event, event],
    "a mark of several lines": ["VERSION 20070824", "MARK 5.000001 first", "second", "", "third", event],
    "a mark of no words": ["VERSION 20070824", "MARK 5.000001 ", event],
    "a long mark": ["VERSION 20070824", `MARK 5.000001 ${"long ".repeat(3_000)}`, event],
    "numbers at their limits": [
      "VERSION 20070824",
      "R 1 4294967295.999999 -1 0xffffffffffffffff 0xffffffffffffffff 0xffffffffffffffff 0",
      "W 8 0.000000 2147483647 0x0 0x0 0x0 0",
      "W 0 0.000001 -2147483648 0x1 0x1 0x1 0",
      "MAP 1.000000 -1 0xfffffffffffffff 0xffffffffffffffff 0xffffffffffffffff 0x0 0",
      "UNMAP 1.000000 -1 0x0 0",
      "UNKNOWN 1.000000 -1 0xffffffffffffffff ff,ff,ff 0xffffffffffffffff 0",
      "MARK 0.000000 Lost 18446744073709551615 events.",
    ],
    "movzx of a byte, logged with the register's other bytes": ["VERSION 20070824", event.replace("R 4", "R 1")],
    nothing: ["VERSION 20070824"],
  };
  for (const [name, lines] of Object.entries(cases)) {
    test(name, async () => {
      const text = `${lines.join("\n")}\n`;
      expect(await throughTrace(text)).toBe(text);
      expect(await throughTrace(text, 7)).toBe(text);
    });
  }

  test("a mark that is no UTF-8", async () => {
    const bytes = Buffer.concat([Buffer.from("MARK 1.000000 "), Buffer.of(0xff, 0xfe, 0x80, 0x0d, 0xc3, 0x28, 0x0a)]);
    const text = Buffer.concat([Buffer.from("VERSION 20070824\n"), bytes, Buffer.of(0xef, 0xbb, 0xbf, 0x0a)]);
    expect((await bytesThroughTrace(text)).equals(text)).toBe(true);
  });
});

describe("errors and notes", () => {
  const read = (text: string) => {
    const reader = new MmiotraceImport("a.txt");
    reader.push(Buffer.from(text));
    reader.finish();
    return reader;
  };

  for (const [name, line] of Object.entries({
    "an access without its value": "R 4 1.000010 1 0xfebc0008",
    "a time without its fraction": "R 4 1 1 0xfebc0008 0x0 0x0 0",
    "a width of 100 bytes": "R 100 1.000010 1 0xfebc0008 0x0 0x0 0",
    "a number of 65 bits": "W 4 1.000010 1 0xfebc0008 0x10000000000000000 0x0 0",
    "a mapping number of 33 bits": "W 4 1.000010 4294967296 0xfebc0008 0x1 0x0 0",
    "a mapping without its length": "MAP 1.000000 1 0xfebc0000 0xffffc90000080000",
    "a mark without a time": "MARK hello",
    "a device of letters": "PCIDEV 0018 8086100e b hello",
    "words behind the last field": "UNMAP 1.000000 1 0x0 0 and more",
    "a line of a million characters": `MARK 1.000000 ${"x".repeat(1_000_000)}`,
  })) {
    test(name, () => {
      expect(() => read(`VERSION 20070824\n${event}\n${line}\n`)).toThrow(/^a\.txt:3: /);
    });
  }

  test("a log that is cut within a line loses that line alone, and says so", () => {
    const whole = `VERSION 20070824\n${event}\n${event}`;
    // With its PID the line is whole, even without a line end.
    expect(read(whole).totals.accesses).toBe(2);
    expect(read(whole).incomplete).toEqual([]);
    for (let length = `VERSION 20070824\n${event}\n`.length + 1; length < whole.length; length += 1) {
      const cut = read(whole.slice(0, length));
      expect(cut.totals.accesses).toBe(1);
      expect(cut.incomplete).toEqual([expect.stringMatching(/^the log is cut within its last line, 3: "R[^"]*"$/)]);
    }
  });

  test("other programs' variants of the lines are understood, and counted", () => {
    const reader = read(`R  4 1.000010 1 0xFEBC0008 0X1F\r\nW 4 01.000010 1 0xfebc0008 0x1 0x0 7\n`);
    const [piece] = reader.pieces();
    expect(reader.totals).toMatchObject({ accesses: 2, unusualLines: 2 });
    const records = (piece as { records: Uint8Array }).records;
    const record = readRecord(new DataView(records.buffer), 0);
    expect(record).toMatchObject({ kind: RecordKind.read, width: 4, address: 0xfebc0008n, value: [0x1fn, 0n] });
  });

  test("as many mappings as no machine has are refused before they fill the memory", () => {
    const maps = Array.from({ length: 20_000 }, (_, id) => `MAP 1.000000 ${id} 0x1000 0x1000 0x1000 0x0 0\n`).join("");
    expect(() => read(maps)).toThrow("a.txt:16385: more than 16384 mappings at the same time");
  });
});

test("what mmiotrace's head has no place for is told: BARs that a log lacks, and vendors", () => {
  const [found] = madeUpHeader().pciFunctions;
  const strange = { ...found!, address: "0000:00:05.0", vendor: "0x0" as const, device: "0x0" as const };
  const notesOf = (changes: Partial<TraceHeader>) => {
    const clock = { ...madeUpHeader().clock, wall_ns: "0x0" as const };
    const header = madeUpHeader({ clock, pciFunctions: [found!, strange], ...changes });
    const writer = new MmiotraceWriter(header);
    writer.head(header.pciFunctions);
    return writer.notes();
  };
  const made = (count: string) => `the places and lengths of ${count} in PCIDEV lines are made up: the log has none`;
  const nameless = "1 device of unknown vendor: 0000:0000 in PCIDEV stands for none";
  expect(notesOf({})).toEqual([nameless]);
  expect(notesOf({ lacks: ["address"] })).toEqual([made("4 BARs"), nameless]);
  expect(notesOf({ lacks: ["address"], pciFunctions: [{ ...found!, bars: found!.bars.slice(0, 1) }] })).toEqual([
    made("1 BAR"),
  ]);
});

test("a mark of several lines becomes one line", () => {
  const writer = new MmiotraceWriter(madeUpHeader());
  const line = (text: string) => {
    const list = new RecordList();
    list.addText({ kind: RecordKind.mark, tsc: 2_000_000_000n }, text);
    return [...eventsOfOtherRecords(list.records)].map((event) => writer.lines(event));
  };
  expect(line("one\ntwo\n\nthree\n\n")).toEqual(["MARK 1.000000 one two  three\n"]);
  expect(line("plain")).toEqual(["MARK 1.000000 plain\n"]);
});
