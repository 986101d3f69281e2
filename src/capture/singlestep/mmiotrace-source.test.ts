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

async function marksOf(use: (source: MmiotraceSource) => void): Promise<string[]> {
  const descriptor = openSync(text, "r");
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
