// tier: quick
// The small blocks of flush() are replaced by a large one: at every moment of that, and after a write torn at any place, all that
// had been flushed can be read, and a follower gets every event once. The file's states are replayed from the writer's writes.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, expect, test, vi } from "vitest";
import { madeUpHeader, madeUpRecords, madeUpSummary } from "../../../dev/test-support/made-up-records.js";
import { eventsOf } from "../../../dev/test-support/read-events.js";
import type { TraceEvent } from "../events.js";
import { nodeCodec } from "../node/codec.js";
import { createTrace } from "../node/create-trace.js";
import { openTrace } from "../node/file-source.js";
import { record_bytes } from "../record.js";
import { TraceReader } from "./reader.js";
import { MemorySink } from "./sink.js";
import type { ByteSource } from "./source.js";
import { MemorySource } from "./source.js";
import { TraceWriter } from "./writer.js";

type Change = { bytes: Uint8Array; position: number } | { length: number };

/** The changes to the file, in order; they are also made in the file system. */
const changes: Change[] = vi.hoisted(() => []);

vi.mock("node:fs", async (original) => {
  const fs = await original<typeof import("node:fs")>();
  return {
    ...fs,
    write: (
      descriptor: number,
      bytes: Uint8Array,
      from: number,
      length: number,
      position: number,
      done: () => void,
    ) => {
      changes.push({ bytes: bytes.slice(from, from + length), position });
      return fs.write(descriptor, bytes, from, length, position, done);
    },
    ftruncate: (descriptor: number, length: number, done: () => void) => {
      changes.push({ length });
      return fs.ftruncate(descriptor, length, done);
    },
  };
});

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-replaced-"));
afterAll(() => rmSync(directory, { recursive: true }));
beforeEach(() => {
  changes.length = 0;
});

/** Appends `count` batches, flushes each, closes. Returns the numbers of changes and of records at each flush. */
async function record(
  records: Uint8Array,
  batch_records: number,
): Promise<{ flushes: [number, number][]; path: string }> {
  const path = join(directory, "trace");
  const writer = await createTrace(path, madeUpHeader());
  const flushes: [number, number][] = [];
  for (let at = 0; at < records.length; at += batch_records * record_bytes) {
    await writer.append(records.subarray(at, at + batch_records * record_bytes));
    // The last records aren't written yet when the blocks are replaced.
    if (at + batch_records * record_bytes < records.length) await writer.flush();
    flushes.push([changes.length, writer.flushed.records]);
  }
  await writer.close(madeUpSummary);
  return { flushes, path };
}

/** A file that changes while it is being read. */
class GrowingSource extends MemorySource implements ByteSource {
  private now = new Uint8Array(0);

  constructor() {
    super(new Uint8Array(0));
  }

  /** Applies a change; `part`: number of the change's bytes that reach the file. */
  apply(change: Change, part = Number.POSITIVE_INFINITY): void {
    if ("length" in change) {
      this.now = this.now.slice(0, change.length);
      return;
    }
    const bytes = change.bytes.subarray(0, part);
    const grown = new Uint8Array(Math.max(this.now.length, change.position + bytes.length));
    grown.set(this.now);
    grown.set(bytes, change.position);
    this.now = grown;
  }

  get bytes_now(): Uint8Array {
    return this.now;
  }

  override async size(): Promise<number> {
    return this.now.length;
  }

  override async read(offset: number, length_bytes: number): Promise<Uint8Array> {
    return this.now.subarray(offset, offset + length_bytes);
  }
}

test("large blocks take the place of the small ones, as if nothing had been flushed", async () => {
  const records = madeUpRecords(3_000, 31);
  const { path } = await record(records, 250);
  const reader = await openTrace(path);
  expect(reader.complete).toBe(true);
  // the second has more than the rows of the first
  expect(reader.blocks.map(({ firstRecord }) => firstRecord)).toEqual([0, expect.any(Number)]);
  expect(reader.records).toBe(records.length / record_bytes);
  const small = join(directory, "small");
  const writer = await createTrace(small, madeUpHeader());
  await writer.append(records);
  await writer.close(madeUpSummary);
  expect(readFileSync(path)).toEqual(readFileSync(small));
  await reader.close();
});

test("where there is no room for the large block, the small ones stay, each record once", async () => {
  class FullSink extends MemorySink {
    override async replace(offset: number, bytes: Uint8Array): Promise<boolean> {
      // append() is a replacement at the end
      return offset === this.length && super.replace(offset, bytes);
    }
  }
  const records = madeUpRecords(3_000, 31);
  const count = records.length / record_bytes;
  const readerOf = async (sink: MemorySink, piece_records: number) => {
    const writer = await TraceWriter.into(sink, madeUpHeader(), nodeCodec);
    for (let at = 0; at < records.length; at += piece_records * record_bytes) {
      await writer.append(records.subarray(at, at + piece_records * record_bytes));
      // the last records are written by close()
      if (at + piece_records * record_bytes < records.length) await writer.flush();
    }
    await writer.close(madeUpSummary);
    return TraceReader.open(new MemorySource(sink.bytes), nodeCodec);
  };
  const [small, large] = [await readerOf(new FullSink(), 170), await readerOf(new MemorySink(), count)];
  expect([small.complete, small.holes, small.records]).toEqual([true, [], count]);
  expect(small.blocks.length).toBeGreaterThan(15);
  expect(await eventsOf(small)).toEqual(await eventsOf(large));
});

test("if the writer dies at any moment, all that was flushed can be read", async () => {
  const records = madeUpRecords(700, 37);
  const { flushes, path } = await record(records, 150);
  const expected = await eventsOf(await openTrace(path));
  const source = new GrowingSource();
  let states = 0;
  for (const [number, change] of changes.entries()) {
    const flushed = flushes.findLast(([made]) => made <= number)?.[1] ?? 0;
    const size = "length" in change ? 0 : change.bytes.length;
    for (let part = 0; part < size; part += part < 80 || part > size - 40 ? 1 : 61) {
      const torn = new GrowingSource();
      torn.apply({ bytes: source.bytes_now, position: 0 });
      torn.apply(change, part);
      // Without a whole header it is no trace.
      if (number < 2) continue;
      const reader = await TraceReader.open(torn, nodeCodec);
      expect(reader.records, `change ${number}, byte ${part}`).toBeGreaterThanOrEqual(flushed);
      if (part % 7 === 0) {
        const got = await eventsOf(reader);
        expect(got).toEqual(expected.slice(0, got.length));
        expect(got.length).toBe(reader.events);
      }
      states += 1;
    }
    source.apply(change);
  }
  expect(source.bytes_now).toEqual(new Uint8Array(readFileSync(path)));
  expect(states).toBeGreaterThan(1_000);
});

for (const everyChange of [1, 2, 3, 5]) {
  test(`a reader that looks after every ${everyChange}. write gets every event once, with its state`, async () => {
    const records = madeUpRecords(900, 41);
    const { path } = await record(records, 120);
    const whole = await openTrace(path);
    const expected = await eventsOf(whole);
    const source = new GrowingSource();
    source.apply(changes[0]!);
    source.apply(changes[1]!);
    const reader = await TraceReader.open(source, nodeCodec);
    const got: TraceEvent[] = [];
    for (const [number, change] of changes.entries()) {
      if (number < 2) continue;
      source.apply(change);
      if (number % everyChange !== 0 && number !== changes.length - 1) continue;
      const before = reader.blocks.length;
      if ((await reader.refresh()) === 0) continue;
      got.push(...(await eventsOf(reader, before)));
      // Events read before can be read again at their new place.
      expect((await eventsOf(reader)).length).toBe(got.length);
    }
    expect(got).toEqual(expected);
    expect(reader.complete).toBe(true);
    let last: TraceReader["blocks"][number] | undefined;
    for await (const { block, state, events } of reader.batches()) {
      last = block;
      for (const _ of events);
      const upTo = block.firstEvent + block.events;
      let mappings: unknown;
      for await (const { event, state: fromStart } of whole.eventsWithState()) {
        if (event.number === upTo - 1) mappings = [...fromStart.mappings.keys()];
      }
      expect([...state.mappings.keys()]).toEqual(mappings);
    }
    expect(last).toBeDefined();
    await whole.close();
  });
}
