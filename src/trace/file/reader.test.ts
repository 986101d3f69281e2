// tier: quick
// A reader's answers about a whole trace, and the words about files that aren't one.
import { describe, expect, test } from "vitest";
import { madeUpHeader, madeUpSummary, RecordList } from "../../../dev/test-support/made-up-records.js";
import { FormatError } from "../../base/errors.js";
import type { TraceHeader } from "../header.js";
import { nodeCodec } from "../node/codec.js";
import { RecordKind } from "../record.js";
import { TraceReader } from "./reader.js";
import { MemorySink } from "./sink.js";
import { BlobSource, MemorySource } from "./source.js";
import { TraceWriter } from "./writer.js";

/** Writes a trace with a block for each list of time stamps, of one access each. */
async function traceBytes(blocks: bigint[][], header: Partial<TraceHeader> = {}): Promise<Uint8Array> {
  const sink = new MemorySink();
  const writer = await TraceWriter.into(sink, madeUpHeader(header), nodeCodec);
  const list = new RecordList();
  for (const [number, times] of blocks.entries()) {
    // an update ends a block
    if (number > 0) await writer.note({ modules: [] });
    const before = list.records.length;
    for (const tsc of times) list.add({ kind: RecordKind.read, address: 0xfebc_0000n, width: 4, tsc });
    await writer.append(list.records.subarray(before));
  }
  await writer.close(madeUpSummary);
  return sink.bytes;
}

const open = (bytes: Uint8Array) => TraceReader.open(new MemorySource(bytes, "a.mmt"), nodeCodec);

async function failureOf(bytes: Uint8Array): Promise<FormatError> {
  const error = await open(bytes).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(FormatError);
  return error;
}

const changed = (bytes: Uint8Array, at: number, to: number) => {
  const copy = Uint8Array.from(bytes);
  copy[at] = to;
  return copy;
};

describe("a file that is no trace", () => {
  test("its first bytes, its version, and its header are told", async () => {
    const bytes = await traceBytes([[1n]]);
    expect(await failureOf(new Uint8Array())).toMatchObject({
      ...{ what: "this is not a trace of mmiostrider's", offset: 0, advice: "the file is empty" },
    });
    const other = await failureOf(changed(bytes, 7, 1));
    expect([other.what, other.advice]).toEqual(["this is not a trace of mmiostrider's", undefined]);
    expect(await failureOf(bytes.subarray(0, 15))).toMatchObject({ what: "cut within its first bytes", offset: 15 });
    for (const version of [0, 3]) {
      expect(await failureOf(changed(bytes, 8, version))).toMatchObject({
        ...{ what: `the trace has format ${version}, this program reads formats 1 to 2`, offset: 8 },
        advice: "read it with the version that wrote it, or a newer one",
      });
    }
    expect((await open(changed(bytes, 8, 1))).events).toBe(1);
    const nothing = { offset: 16, advice: "nothing of the recording is in the file" };
    expect(await failureOf(bytes.subarray(0, 79))).toMatchObject({
      ...{ ...nothing, what: "the trace's header can't be read: the block's header is cut short" },
    });
    expect(await failureOf(changed(bytes, 20, 9))).toMatchObject({
      ...{ ...nothing, what: "the trace's header can't be read: the block's header doesn't fit its checksum" },
    });
    expect(await failureOf(bytes.subarray(0, 90))).toMatchObject({
      what: "the block's content is cut short",
      offset: 16,
    });
    expect(await failureOf(changed(bytes, 90, bytes[90]! ^ 1))).toMatchObject({
      ...{ what: "the block's content doesn't fit its checksum", offset: 16 },
      advice: "the file was damaged after it was written",
    });
  });

  test("a trace begins with its header", async () => {
    const bytes = await traceBytes([[1n]]);
    const reader = await open(bytes);
    const [block] = reader.blocks;
    const without = new Uint8Array(Buffer.concat([bytes.subarray(0, 16), bytes.subarray(block!.offset)]));
    expect((await failureOf(without)).what).toBe("the trace doesn't begin with its header");
  });
});

test("a log has no times if none of its events has one", async () => {
  const isTimeless = async (blocks: bigint[][], header: Partial<TraceHeader> = { engine: "import" }) =>
    (await open(await traceBytes(blocks, header))).isTimeless;
  expect(await isTimeless([[0n], [0n, 0n]])).toBe(true);
  expect(await isTimeless([[0n], [0n, 1n]])).toBe(false);
  expect(await isTimeless([[1n], [0n]])).toBe(false);
  expect(await isTimeless([[]])).toBe(false);
  expect(await isTimeless([[0n]], {})).toBe(false);
});

test("a block is found by an event's number and by time", async () => {
  const reader = await open(await traceBytes([[10n, 20n], [30n], [40n, 50n, 60n]]));
  expect(reader.blocks.map(({ firstEvent, events, tscMin, tscMax }) => [firstEvent, events, tscMin, tscMax])).toEqual([
    ...[
      [0, 2, 10n, 20n],
      [2, 1, 30n, 30n],
      [3, 3, 40n, 60n],
    ],
  ]);
  expect([0, 1, 2, 3, 5, 6, 99].map((number) => reader.blockOfEvent(number))).toEqual([0, 0, 1, 2, 2, 2, 2]);
  expect([0n, 20n, 21n, 30n, 31n, 60n, 99n].map((tsc) => reader.blockOfTime(tsc))).toEqual([0, 0, 1, 1, 2, 2, 2]);
  expect([reader.events, reader.records, reader.complete]).toEqual([6, 6, true]);
  const empty = await open(await traceBytes([[]]));
  expect([empty.events, empty.blockOfEvent(0), empty.blockOfTime(0n)]).toEqual([0, 0, 0]);
});

test("a whole trace's blocks are found by its index, without reading each", async () => {
  const bytes = await traceBytes(Array.from({ length: 40 }, (_, at) => [BigInt(at + 1)]));
  const readsOf = async (all: Uint8Array) => {
    const source = new MemorySource(all);
    let reads = 0;
    const counted = {
      ...{ name: "a.mmt", size: () => source.size(), close: () => source.close() },
      read: (offset: number, length_bytes: number) => {
        reads += 1;
        return source.read(offset, length_bytes);
      },
    };
    const reader = await TraceReader.open(counted, nodeCodec);
    expect([reader.complete, reader.blocks.length, reader.updates.length]).toEqual([true, 40, 39]);
    return reads;
  };
  // updates are read; the 40 blocks of events are not
  const reads = await readsOf(bytes);
  expect(await readsOf(bytes.subarray(0, -1))).toBeGreaterThanOrEqual(reads + 40);
});

test("seconds count from the clock's start", async () => {
  const clock = { tsc: "0x64", wall_ns: "0x0", tscFrequency_hz: 50 } as const;
  const reader = await open(await traceBytes([[100n]], { clock }));
  expect([100n, 150n, 75n].map((tsc) => reader.secondsSinceStart(tsc))).toEqual([0, 1, -0.5]);
});

test("a closed trace isn't read", async () => {
  const reader = await open(await traceBytes([[1n]]));
  await reader.close();
  await reader.close();
  const closed = "reading a.mmt failed: the trace is closed";
  await expect(reader.readColumns(0)).rejects.toThrow(closed);
  await expect(reader.checkBlock(0)).rejects.toThrow(closed);
  await expect(reader.refresh()).rejects.toThrow(closed);
});

describe("bytes behind a trace's end", () => {
  const holesOf = async (behind: Uint8Array) => {
    const bytes = await traceBytes([[1n]]);
    const reader = await open(new Uint8Array(Buffer.concat([bytes, behind])));
    expect(reader.complete).toBe(reader.holes.length === 0);
    return reader.holes.map(({ offset, what, records }) => [offset - bytes.length, what, records]);
  };
  const unknown = [[0, "something unknown follows its end, and isn't read", 0]];

  test("are none, something, or another trace", async () => {
    const another = await traceBytes([[2n]]);
    expect(await holesOf(new Uint8Array())).toEqual([]);
    expect(await holesOf(new Uint8Array(1))).toEqual(unknown);
    expect(await holesOf(new Uint8Array(1000))).toEqual(unknown);
    expect(await holesOf(another)).toEqual([
      [0, "another trace begins behind its end, and isn't read: merge joins traces", 0],
    ]);
    // as much of it as its magic
    expect(await holesOf(another.subarray(0, 8))).toEqual([
      [0, "another trace begins behind its end, and isn't read: merge joins traces", 0],
    ]);
    expect(await holesOf(another.subarray(0, 7))).toEqual(unknown);
    expect(await holesOf(changed(another, 7, 0))).toEqual(unknown);
  });
});

describe("sources in memory", () => {
  const bytes = Uint8Array.from({ length: 10 }, (_, at) => at);

  test.each([
    ["bytes", (name?: string) => new MemorySource(bytes, name), "memory"],
    ["a file of a page", (name?: string) => new BlobSource(new Blob([bytes]), name), "file"],
    ["a part of a buffer", () => new MemorySource(new Uint8Array([9, ...bytes, 9]).subarray(1, 11)), "memory"],
  ] as const)("%s", async (_what, make, name) => {
    const source = make();
    expect([source.name, await source.size()]).toEqual([name, 10]);
    expect([...(await source.read(3, 4))]).toEqual([3, 4, 5, 6]);
    expect([...(await source.read(8, 4))]).toEqual([8, 9]);
    expect([...(await source.read(10, 4))]).toEqual([]);
    await source.close();
  });

  test("have the name that they are given", () => {
    expect([new MemorySource(bytes, "a").name, new BlobSource(new Blob([bytes]), "b").name]).toEqual(["a", "b"]);
  });
});

describe("a sink in memory", () => {
  test("grows, gives copies, and replaces all from a place on", async () => {
    const sink = new MemorySink();
    expect([sink.replaceable, sink.length, sink.bytes.length]).toEqual([true, 0, 0]);
    const large = new Uint8Array(100_000).fill(7);
    await sink.append(Uint8Array.of(1, 2, 3));
    const before = sink.bytes;
    await sink.append(large);
    expect([before.length, sink.length, sink.bytes[2], sink.bytes[3], sink.bytes.at(-1)]).toEqual([
      3, 100_003, 3, 7, 7,
    ]);
    expect(await sink.replace(2, Uint8Array.of(9))).toBe(true);
    expect([...sink.bytes]).toEqual([1, 2, 9]);
    // behind what it had, and over its end
    await sink.replace(2, large);
    await sink.append(large);
    expect([sink.length, sink.bytes[1], sink.bytes[2], sink.bytes[200_001]]).toEqual([200_002, 2, 7, 7]);
    await expect(sink.replace(200_003, Uint8Array.of(1))).rejects.toThrow("no gap is left");
    sink.keep();
    sink.close();
  });
});
