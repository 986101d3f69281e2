// tier: quick
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { eventOfRecords } from "../../trace/events.js";
import { record_bytes } from "../../trace/record.js";
import { MmiotraceSource } from "./mmiotrace-source.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-source-"));
afterAll(() => rmSync(directory, { recursive: true }));

const marks = Array.from({ length: 20_000 }, (_, n) => `m${n}`);
/** A text longer than one read, with no line end at the end of a read. */
const text = join(directory, "trace_pipe");
writeFileSync(text, `VERSION 20070824\n${marks.map((mark) => `MARK 1.000001 ${mark}\n`).join("")}`);

async function marksOf(use: (source: MmiotraceSource) => void, path = text): Promise<string[]> {
  const descriptor = openSync(path, "r");
  const source = new MmiotraceSource("all", descriptor);
  const buffer = new Uint8Array(100 * record_bytes);
  const found: string[] = [];
  try {
    for (;;) {
      const bytes = await source.readRecords(buffer);
      if (bytes === 0) return found;
      if (found.length === 0) use(source);
      for (let at = 0; at < bytes; at += record_bytes) {
        const event = eventOfRecords(buffer.slice(at, at + record_bytes), { number: found.length, sequence: 0 });
        if (event.kind === "mark") found.push(event.text);
      }
    }
  } finally {
    closeSync(descriptor);
  }
}

test("all that is there is read, whatever the reads' sizes", async () => {
  expect(await marksOf((source) => source.end())).toEqual(marks);
});

test("text that never stops coming is left when its time is over; what had been read is not lost", async () => {
  const found = await marksOf((source) => source.end(0));
  expect(found.length).toBeGreaterThan(1_000);
  expect(found.length).toBeLessThan(marks.length);
  expect(found).toEqual(marks.slice(0, found.length));
});

test("a recording without a single event is no fault", async () => {
  const empty = join(directory, "empty");
  writeFileSync(empty, "");
  const source = new MmiotraceSource("all", openSync(empty, "r"));
  source.end();
  expect(await source.readRecords(new Uint8Array(record_bytes))).toBe(0);
  source.close();
});

test("losses that trace_pipe tells twice are counted once, those of unknown number as one at least", async () => {
  const lossy = join(directory, "lossy");
  const mark = (number: number) => `MARK 1.00000${number} m${number}`;
  const lost = ["MARK 0.000000 Lost 5 events.", "CPU:0 [LOST 5 EVENTS]", "CPU:0 [LOST EVENTS]"];
  writeFileSync(lossy, ["VERSION 20070824", mark(1), ...lost, mark(2), ""].join("\n"));
  const source = new MmiotraceSource("all", openSync(lossy, "r"));
  const buffer = new Uint8Array(100 * record_bytes);
  const bytes = await source.readRecords(buffer);
  const kinds = Array.from({ length: bytes / record_bytes }, (_, at) => {
    const record = buffer.slice(at * record_bytes, (at + 1) * record_bytes);
    const event = eventOfRecords(record, { number: at, sequence: at + 1 });
    return event.kind === "lost" ? event.count : event.kind;
  });
  expect(kinds.filter((kind) => typeof kind === "bigint")).toEqual([5n, 0n]);
  expect(source.lost).toBe(5 + 1);
  source.close();
});
