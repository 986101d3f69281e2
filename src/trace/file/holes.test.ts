// tier: quick
// Traces with a damaged place: what is behind it is read, the reader says what is missing, and nothing calls it complete.
import { describe, expect, test } from "vitest";
import { madeUpHeader, madeUpRecords, madeUpSummary } from "../../../dev/test-support/made-up-records.js";
import { AccessRegisters } from "../../analysis/view/access-registers.js";
import { selectedViews } from "../../analysis/view/selection.js";
import type { TraceEvent } from "../events.js";
import { nodeCodec } from "../node/codec.js";
import { RecordFlag, record_bytes } from "../record.js";
import { incompleteOf } from "./incomplete.js";
import { type BlockInfo, TraceReader } from "./reader.js";
import { MemorySink } from "./sink.js";
import { MemorySource } from "./source.js";
import { TraceWriter } from "./writer.js";

const updates = 5;
/** Bytes of the index's end: without them there is no index. */
const trailer_bytes = 16;

/** Writes a trace of several blocks, with an update before each but the first. */
async function madeUpTrace(): Promise<Uint8Array> {
  const sink = new MemorySink();
  const writer = await TraceWriter.into(sink, madeUpHeader({ pciFunctions: [] }), nodeCodec);
  const records = madeUpRecords(200 * (updates + 1), 5);
  for (let block = 0; block <= updates; block += 1) {
    if (block > 0) await writer.note({ pciFunctions: madeUpHeader().pciFunctions });
    await writer.append(records.subarray(200 * block * record_bytes, 200 * (block + 1) * record_bytes));
  }
  await writer.close({ ...madeUpSummary, incomplete: [] });
  return Uint8Array.from(sink.bytes);
}

const open = (bytes: Uint8Array) => TraceReader.open(new MemorySource(bytes), nodeCodec);

async function eventsOf(reader: TraceReader): Promise<TraceEvent[]> {
  const events = [];
  for await (const { event } of reader.eventsWithState()) events.push(event);
  return events;
}

const isHole = (event: TraceEvent) => event.kind === "lost" && (event.flags & RecordFlag.gone) !== 0;

async function wholeTrace() {
  const bytes = await madeUpTrace();
  const reader = await open(bytes);
  const { blocks } = reader;
  expect(blocks.length).toBe(updates + 1);
  return { bytes, blocks, events: await eventsOf(reader) };
}

type Spoil = (bytes: Uint8Array, block: BlockInfo) => Uint8Array;
const withoutIndex =
  (spoil: Spoil): Spoil =>
  (bytes, block) =>
    spoil(bytes, block).subarray(0, bytes.length - trailer_bytes);
const flip =
  (distance: number): Spoil =>
  (bytes, block) => {
    bytes[block.offset + distance]! ^= 0x10;
    return bytes;
  };
const fillWith =
  (byte: number): Spoil =>
  (bytes, block) =>
    bytes.fill(byte, block.offset, block.offset + 64 + block.payload_bytes);
const cutOut: Spoil = (bytes, { offset, payload_bytes }) =>
  new Uint8Array(Buffer.concat([bytes.subarray(0, offset), bytes.subarray(offset + 64 + payload_bytes)]));

describe.each<[string, Spoil]>([
  ["a changed byte of its content", flip(100)],
  ["a changed byte of its content, and no index", withoutIndex(flip(100))],
  ["a changed byte of its header, and no index", withoutIndex(flip(20))],
  ["zeros in its place, and no index", withoutIndex(fillWith(0))],
  ["the letter M in its place, and no index", withoutIndex(fillWith(0x4d))],
  ["nothing in its place", cutOut],
])("a block with %s", (_what, spoil) => {
  test.each([0, 2, updates])("block %i: the others are read, with their numbers and states", async (number) => {
    const { bytes, blocks, events } = await wholeTrace();
    const block = blocks[number]!;
    const reader = await open(spoil(bytes, block));
    const got = await eventsOf(reader);
    const { firstEvent, firstRecord, records } = block;
    const before = events.filter((event) => event.number < firstEvent);
    const behind = events.filter((event) => event.number >= firstEvent + block.events);
    expect(got.filter((event) => !isHole(event))).toEqual([...before, ...behind]);
    const lost = { kind: "lost", number: firstEvent, sequence: firstRecord + 1, count: BigInt(records) };
    expect(got.filter(isHole)).toMatchObject([lost]);
    expect(reader.holes).toMatchObject([{ offset: block.offset, records }]);
    expect(reader.complete).toBe(false);
    expect(reader.summary?.accesses).toBe(madeUpSummary.accesses);
    expect(incompleteOf(reader)).toEqual([
      expect.stringMatching(
        new RegExp(`^the trace is damaged at byte ${block.offset}, .*: ${records} records can't be read$`),
      ),
    ]);
    expect(reader.updates.length).toBe(updates);
  });
});

test("a damaged block that isn't selected is told, too", async () => {
  const { bytes, blocks } = await wholeTrace();
  for (const [damaged, from, to] of [
    [1, blocks[4]!.firstEvent, undefined],
    [5, undefined, 3],
  ] as const) {
    const reader = await open(flip(100)(bytes.slice(), blocks[damaged]!));
    const selection = {
      from: from === undefined ? undefined : { kind: "event" as const, number: from },
      to: to === undefined ? undefined : { kind: "event" as const, number: to },
    };
    let seen = 0;
    for await (const { views } of selectedViews(reader, new AccessRegisters(() => undefined), selection)) {
      for (const _view of views) seen += 1;
    }
    expect(seen).toBeGreaterThan(0);
    expect(reader.holes).toMatchObject([{ offset: blocks[damaged]!.offset, records: blocks[damaged]!.records }]);
  }
});

test("an update that can't be found loses neither the update nor the summary right behind it", async () => {
  const sink = new MemorySink();
  const writer = await TraceWriter.into(sink, madeUpHeader({ pciFunctions: [] }), nodeCodec);
  await writer.append(madeUpRecords(200, 5));
  const [found] = madeUpHeader().pciFunctions;
  const places: number[] = [];
  for (const driver of ["first", "second", "third"]) {
    await writer.flush();
    places.push(sink.length);
    await writer.note({ pciFunctions: [{ ...found!, driver }] });
  }
  await writer.close(madeUpSummary);
  const whole = sink.bytes.slice(0, sink.bytes.length - trailer_bytes);
  for (const [number, offset] of places.entries()) {
    const changed = whole.slice();
    changed[offset + 20]! ^= 1;
    const reader = await open(changed);
    const drivers = reader.updates.map(({ update }) => update.pciFunctions![0]!.driver);
    expect(drivers).toEqual(["first", "second", "third"].filter((_, at) => at !== number));
    expect(reader.summary?.accesses).toBe(madeUpSummary.accesses);
    expect(reader.holes).toMatchObject([{ offset, records: 0 }]);
  }
});

test("a damaged update, or summary, loses nothing else", async () => {
  const { bytes, blocks, events } = await wholeTrace();
  const block = blocks[2]!;
  const behind = block.offset + 64 + block.payload_bytes;
  for (const [distance, what] of [
    [80, "checksum"],
    [20, "header"],
  ] as const) {
    const changed = bytes.slice(0, bytes.length - trailer_bytes);
    changed[behind + distance]! ^= 1;
    const reader = await open(changed);
    expect(await eventsOf(reader)).toEqual(events);
    expect(reader.holes).toMatchObject([{ offset: behind, records: 0, what: expect.stringContaining(what) }]);
    expect(reader.updates.length).toBe(updates - 1);
    expect(reader.complete).toBe(false);
  }
  const last = blocks.at(-1)!;
  const changed = bytes.slice();
  changed[last.offset + 64 + last.payload_bytes + 70]! ^= 1;
  const reader = await open(changed);
  expect(await eventsOf(reader)).toEqual(events);
  expect([reader.summary, reader.complete]).toEqual([null, false]);
});

test("a block that isn't there is told at its place, with its number of records", async () => {
  const { bytes, blocks } = await wholeTrace();
  const { offset, payload_bytes, records } = blocks[2]!;
  const without = Buffer.concat([bytes.subarray(0, offset), bytes.subarray(offset + 64 + payload_bytes)]);
  const reader = await open(new Uint8Array(without));
  expect(reader.holes).toEqual([{ offset, what: "a block is missing", records }]);
  expect([reader.blocks.length, reader.records]).toEqual([blocks.length, 200 * (updates + 1)]);
  expect((await eventsOf(reader)).filter(isHole)).toHaveLength(1);
});
