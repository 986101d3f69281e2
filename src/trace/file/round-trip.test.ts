// tier: quick
// Writer and reader preserve a trace: events, order, header, updates; whole, cut, and damaged.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import {
  madeUpHeader,
  madeUpRecords,
  madeUpSummary,
  randomNumbers,
} from "../../../dev/test-support/made-up-records.js";
import { eventsOf } from "../../../dev/test-support/read-events.js";
import { FormatError } from "../../base/errors.js";
import { continues, eventOfRecords, type TraceEvent } from "../events.js";
import { nodeCodec } from "../node/codec.js";
import { createTrace } from "../node/create-trace.js";
import { openTrace } from "../node/file-source.js";
import { RecordFlag, record_bytes, recordOffset } from "../record.js";
import { TraceState } from "../state.js";
import { streamCodec } from "./compression.js";
import { TraceReader } from "./reader.js";
import { MemorySink } from "./sink.js";
import { MemorySource } from "./source.js";
import { TraceWriter } from "./writer.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-trace-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Makes the events of `records`, by the rules of core/record.h alone. */
function eventsOfRecords(records: Uint8Array): TraceEvent[] {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  const events: TraceEvent[] = [];
  // numbers the DMA buffers
  const state = new TraceState();
  let from = 0;
  for (let at = record_bytes; at <= records.length; at += record_bytes) {
    const before = at - record_bytes;
    const flags = view.getUint32(before + recordOffset.flags, true);
    if (at < records.length && continues(view.getUint8(before + 58), flags, view.getUint8(at + 58))) continue;
    const group = records.slice(from, at);
    const place = { number: events.length, sequence: from / record_bytes + 1 };
    const event = eventOfRecords(group, place);
    if (event.kind === "unknown") event.record.fill(0, 0, 8);
    events.push(event);
    state.apply(event);
    from = at;
  }
  return events;
}

/** Writes a trace. `apart`: each batch becomes its own block, with an update after it. */
async function write(name: string, records: Uint8Array, batch: () => number, apart = false): Promise<string> {
  const path = join(directory, name);
  const writer = await createTrace(path, madeUpHeader());
  for (let at = 0; at < records.length; ) {
    const end = Math.min(records.length, at + record_bytes * batch());
    await writer.append(records.subarray(at, end));
    if (apart) await writer.note({});
    at = end;
  }
  await writer.close(madeUpSummary);
  return path;
}

test("written in memory, as a page does: the same events, with flushed blocks replaced", async () => {
  const records = madeUpRecords(30_000, 7);
  const sink = new MemorySink();
  const writer = await TraceWriter.into(sink, madeUpHeader(), streamCodec);
  for (let at = 0; at < records.length; at += 4_000 * record_bytes) {
    await writer.append(records.subarray(at, at + 4_000 * record_bytes));
    await writer.flush();
  }
  const flushed = (await TraceReader.open(new MemorySource(sink.bytes), streamCodec)).blocks.length;
  expect(flushed).toBeGreaterThan(3);
  await writer.close(madeUpSummary);
  const reader = await TraceReader.open(new MemorySource(sink.bytes), nodeCodec);
  expect(reader.complete).toBe(true);
  expect(reader.blocks.length).toBeLessThan(flushed);
  const file = await openTrace(await write("in-file", records, () => 30_000));
  expect(await eventsOf(reader)).toEqual(await eventsOf(file));
  await file.close();
});

describe("round trip", () => {
  for (const seed of [1, 2, 3]) {
    test(`90,000 made-up records, seed ${seed}`, async () => {
      const records = madeUpRecords(90_000, seed);
      const random = randomNumbers(seed);
      const path = await write(`whole-${seed}`, records, () => 1 + (random() % 30_000));
      const reader = await openTrace(path);
      expect(reader.complete).toBe(true);
      expect(reader.header).toEqual(madeUpHeader());
      expect(reader.records).toBe(records.length / record_bytes);
      expect(reader.blocks.length).toBeGreaterThan(1);
      const expected = eventsOfRecords(records);
      const got = await eventsOf(reader);
      expect(got.length).toBe(expected.length);
      expect(reader.events).toBe(expected.length);
      for (let index = 0; index < expected.length; index += 1) {
        if (!sameEvent(expected[index]!, got[index]!)) expect(got[index]).toEqual(expected[index]);
      }
      await reader.close();
    });
  }

  test("the browser's codec reads the same", async () => {
    const bytes = readFileSync(await write("browser", madeUpRecords(20_000, 5), () => 4096));
    const portable = await TraceReader.open(new MemorySource(bytes), streamCodec);
    const native = await TraceReader.open(new MemorySource(bytes), nodeCodec);
    expect(await eventsOf(portable)).toEqual(await eventsOf(native));
  });

  test("many small blocks have the same events", async () => {
    const records = madeUpRecords(5_000, 7);
    const reader = await openTrace(await write("apart", records, () => 100, true));
    expect(reader.blocks.length).toBeGreaterThan(10);
    expect(await eventsOf(reader)).toEqual(eventsOfRecords(records));
    await reader.close();
  });
});

/** Compares two events quickly; expect() compares unequal ones again. */
function sameEvent(a: TraceEvent, b: TraceEvent): boolean {
  const text = (event: TraceEvent) =>
    JSON.stringify(event, (_, value) => (typeof value === "bigint" ? `${value}n` : value));
  return text(a) === text(b);
}

describe("a trace that was cut", () => {
  test("reads up to its last whole block, wherever it was cut", async () => {
    const records = madeUpRecords(1_500, 11);
    const bytes = readFileSync(await write("cut", records, () => 300, true));
    const expected = eventsOfRecords(records);
    const whole = await TraceReader.open(new MemorySource(bytes), nodeCodec);
    const ends = whole.blocks.map((block) => block.offset + 64 + block.payload_bytes);
    for (let length = 0; length < bytes.length; length += 1) {
      const source = new MemorySource(bytes.subarray(0, length));
      const reader = await TraceReader.open(source, nodeCodec).catch((error: unknown) => error);
      if (!(reader instanceof TraceReader)) {
        expect(reader).toBeInstanceOf(FormatError);
        expect(length).toBeLessThan(whole.blocks[0]!.offset);
        continue;
      }
      const blocks = ends.filter((end) => end <= length).length;
      expect(reader.blocks.length).toBe(blocks);
      // Only the index after the summary may be missing without harm.
      expect(reader.complete).toBe(reader.summary !== null);
      if (length % 97 !== 0) continue;
      const got = await eventsOf(reader);
      expect(got).toEqual(expected.slice(0, got.length));
      expect(got.length).toBe(blocks === 0 ? 0 : (whole.blocks[blocks]?.firstEvent ?? expected.length));
    }
  });
});

test("a small trace has small blocks first: cut in its second half, it has a good part of its events", async () => {
  for (const count of [3_000, 14_000, 60_000]) {
    const bytes = readFileSync(await write("small", madeUpRecords(count, 19), () => 5_000));
    for (const part of [0.5, 0.75, 0.99]) {
      const reader = await TraceReader.open(new MemorySource(bytes.subarray(0, part * bytes.length)), nodeCodec);
      expect(reader.records).toBeGreaterThan((part / 4) * count);
      expect(reader.complete).toBe(false);
    }
    const { blocks } = await TraceReader.open(new MemorySource(bytes), nodeCodec);
    expect(blocks.length).toBeLessThan(8);
  }
});

test("a trace is its owner's alone, in the place of a file that was anybody's, too", async () => {
  const path = join(directory, "older");
  writeFileSync(path, "anything", { mode: 0o666 });
  const writer = await createTrace(path, madeUpHeader());
  await writer.close(madeUpSummary);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test("a changed byte is never taken for data", async () => {
  const bytes = readFileSync(await write("damaged", madeUpRecords(800, 13), () => 200, true));
  const expected = (await eventsOf(await TraceReader.open(new MemorySource(bytes), nodeCodec))).map(plainText);
  const random = randomNumbers(17);
  let withHoles = 0;
  for (let round = 0; round < 400; round += 1) {
    const at = 16 + (random() % (bytes.length - 16));
    const changed = Uint8Array.from(bytes);
    changed[at]! ^= 1 + (random() % 255);
    try {
      const reader = await TraceReader.open(new MemorySource(changed), nodeCodec);
      const got = await eventsOf(reader);
      if (reader.complete) expect(got.map(plainText)).toEqual(expected);
      else expect([reader.damage, ...reader.holes]).not.toEqual([null]);
      if (reader.holes.length > 0) withHoles += 1;
      const readable = got.filter((event) => event.kind !== "lost" || (event.flags & RecordFlag.gone) === 0);
      expect(readable.map(plainText)).toEqual(readable.map(({ number }) => expected[number]));
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
    }
  }
  expect(withHoles).toBeGreaterThan(200);
});

const plainText = (event: TraceEvent) =>
  JSON.stringify(event, (_, value) => (typeof value === "bigint" ? `${value}n` : value));

test("a hole in the ring's numbers becomes a LOST event and a sentence in the summary", async () => {
  const records = madeUpRecords(10, 3).slice();
  const view = new DataView(records.buffer);
  for (let at = 5 * record_bytes; at < records.length; at += record_bytes) {
    view.setBigUint64(at, view.getBigUint64(at, true) + 4n, true);
  }
  const reader = await openTrace(await write("hole", records, () => 3));
  const lost = (await eventsOf(reader)).find((event) => event.sequence === 6);
  expect(lost).toMatchObject({ kind: "lost", count: 4n });
  expect(reader.summary).toMatchObject({
    lost: 4,
    incomplete: ["4 records are missing between the ring and the trace"],
  });
  await reader.close();
});

test("a summary of before unrecorded mappings were counted has none", async () => {
  const path = join(directory, "older");
  const writer = await createTrace(path, madeUpHeader());
  const { unrecorded: _, ...older } = madeUpSummary;
  await writer.close(older as typeof madeUpSummary);
  const reader = await openTrace(path);
  expect(reader.summary).toEqual({ ...madeUpSummary, unrecorded: 0 });
  await reader.close();
});

test("updates lie where they were noted, and a block in the middle knows the state it begins in", async () => {
  const path = join(directory, "updates");
  const records = madeUpRecords(3_000, 21);
  const writer = await createTrace(path, madeUpHeader({ pciFunctions: [] }));
  await writer.append(records.subarray(0, 1_000 * record_bytes));
  await writer.note({ pciFunctions: madeUpHeader().pciFunctions });
  await writer.append(records.subarray(1_000 * record_bytes));
  await writer.close(madeUpSummary);
  const reader = await openTrace(path);
  const expectedSymbols = new Map<bigint, string>();
  let checked = 0;
  for await (const batch of reader.batches()) {
    const fromHere = await reader.batches(reader.blocks.indexOf(batch.block)).next();
    expect(fromHere.value?.state.mappings).toEqual(batch.state.mappings);
    for (const event of batch.events) {
      if (event.kind === "symbol") expectedSymbols.set(event.site, event.text);
      if (event.kind !== "read" && event.kind !== "write") continue;
      expect(batch.state.symbolOf(event.site)).toBe(expectedSymbols.get(event.site));
      const known = batch.state.placeOf(0xfebc0010n)?.function.address;
      expect(known).toBe(batch.block.firstRecord >= reader.updates[0]!.firstRecord ? "0000:00:04.0" : undefined);
      checked += 1;
    }
  }
  expect(checked).toBeGreaterThan(2_000);
  expect(reader.updates[0]!.firstRecord).toBeGreaterThanOrEqual(1_000);
  await reader.close();
});
