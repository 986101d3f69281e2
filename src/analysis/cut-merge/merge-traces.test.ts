// tier: quick
// A merged trace's header, clock and summary, made of those of its parts; and the words about parts that aren't whole.
import { describe, expect, test } from "vitest";
import { madeUpHeader, madeUpSummary, RecordList } from "../../../dev/test-support/made-up-records.js";
import { builtInFor } from "../../registers/files/index.js";
import { TraceReader } from "../../trace/file/reader.js";
import { MemorySink } from "../../trace/file/sink.js";
import { MemorySource } from "../../trace/file/source.js";
import { TraceWriter } from "../../trace/file/writer.js";
import type { TraceHeader, TraceSummary } from "../../trace/header.js";
import { nodeCodec } from "../../trace/node/codec.js";
import { RecordKind } from "../../trace/record.js";
import { AccessRegisters } from "../view/access-registers.js";
import { cutTrace } from "./cut-trace.js";
import { mergeTraces } from "./merge-traces.js";

interface Made {
  name?: string;
  header?: Partial<TraceHeader>;
  summary?: Partial<TraceSummary>;
  /** Time stamps of accesses, one a block. */
  times?: bigint[];
}

async function bytesOf({ header, summary, times = [] }: Made): Promise<Uint8Array> {
  const sink = new MemorySink();
  const writer = await TraceWriter.into(sink, madeUpHeader(header), nodeCodec);
  const list = new RecordList();
  for (const [at, tsc] of times.entries()) {
    if (at > 0) await writer.note({});
    const before = list.records.length;
    list.add({ kind: RecordKind.read, address: 0xfebc_0000n, width: 4, tsc, value: [BigInt(at), 0n] });
    await writer.append(list.records.subarray(before));
  }
  await writer.close({ ...madeUpSummary, ...summary });
  return sink.bytes;
}

const open = (bytes: Uint8Array, name = "a.mmt", incomplete: string[] = []) =>
  TraceReader.open(Object.assign(new MemorySource(bytes, name), { incomplete }), nodeCodec);

async function merged(...parts: (Made | TraceReader)[]) {
  const readers = await Promise.all(
    parts.map(async (part) => (part instanceof TraceReader ? part : open(await bytesOf(part), part.name))),
  );
  const sink = new MemorySink();
  const create = (header: TraceHeader) => TraceWriter.into(sink, header, nodeCodec);
  const told = await mergeTraces(readers, { commandLine: ["merge"], create });
  const reader = await open(sink.bytes);
  const times: bigint[] = [];
  for await (const { event } of reader.eventsWithState()) times.push(event.tsc);
  return { ...told, times, header: reader.header, summary: reader.summary! };
}

const { options } = madeUpHeader();

describe("the header", () => {
  test("has all that was asked for; clean only if all are, relaxed if one is", async () => {
    const optionsOf = async (...some: Partial<TraceHeader["options"]>[]) =>
      (await merged(...some.map((one) => ({ header: { options: { ...options, ...one } } })))).header.options;
    const none = { ...options, interrupts: false, dma: false };
    expect(await optionsOf({}, {})).toEqual(none);
    expect(await optionsOf({ filter: ["a", "b"], ring_bytes: 5 }, { filter: ["b", "c"], ring_bytes: 7 })).toEqual({
      ...{ ...none, filter: ["a", "b", "c"], ring_bytes: 7 },
    });
    const all = { relaxed: true, cleanRoom: true, excludeWriteCombining: true, interrupts: true, dma: true };
    expect(await optionsOf(all, all)).toEqual({ ...options, ...all });
    for (const some of [[all, {}] as const, [{}, all] as const]) {
      expect(await optionsOf(...some)).toEqual({ ...options, ...all, cleanRoom: false });
    }
    expect(await optionsOf({ configuration: ["0000:00:04.0"] }, {})).toHaveProperty("configuration", ["0000:00:04.0"]);
    const both = { configuration: ["0000:00:04.0", "0000:00:05.0"] };
    expect(await optionsOf({ configuration: ["0000:00:04.0"] }, both)).toMatchObject(both);
    expect(await optionsOf(both, { configuration: "all" })).toHaveProperty("configuration", "all");
  });

  test("has each producer once, the command line of the merge, and no fence", async () => {
    const headerOf = async (...producers: string[]) =>
      (await merged(...producers.map((producer) => ({ header: { producer, fence: "12345678" } })))).header;
    expect(await headerOf("a", "b", "a")).toMatchObject({ producer: "a, b", fence: null, commandLine: ["merge"] });
  });

  test("lacks what one of them lacks; a site or a caller only if all lack it", async () => {
    const lacksOf = async (...lacks: TraceHeader["lacks"][]) =>
      (await merged(...lacks.map((some) => ({ header: some === undefined ? {} : { lacks: some } })))).header.lacks;
    expect(await lacksOf(undefined, [])).toBeUndefined();
    expect(await lacksOf(["cpu", "site"], ["pid", "caller"])).toEqual(["cpu", "pid"]);
    expect(await lacksOf(["caller", "site", "cpu"], ["site", "caller"])).toEqual(["cpu", "site", "caller"]);
  });
});

test("traces that can't be merged are refused by name, with the reason", async () => {
  const nic = madeUpHeader().pciFunctions[0]!;
  const times = [2n ** 48n];
  const failureOf = (header: Partial<TraceHeader>, first: Partial<TraceHeader> = {}) =>
    merged({ name: "a.mmt", times, header: first }, { name: "b.mmt", times, header }).catch((error: unknown) => error);
  expect(await failureOf({ pciFunctions: [{ ...nic, device: "0x10d3" }] })).toMatchObject({
    message: `merging a.mmt and b.mmt failed: they are of different machines: ${nic.address} isn't the same device`,
    advice: "convert each to Parquet instead, and query them together",
  });
  expect(await failureOf({ engine: "import" })).toMatchObject({
    message: "merging a.mmt and b.mmt failed: only one of them was imported from a text, and has no wall clock",
  });
  expect(await failureOf({ clock: { ...madeUpHeader().clock, wall_ns: "0x0" } })).toMatchObject({
    message: "merging a.mmt and b.mmt failed: only one of them has a wall clock, and the other times since boot",
  });
  const vfio: Partial<TraceHeader> = { engine: "import", lacks: ["address"] };
  const of = (vendor: string, device: string): Partial<TraceHeader> => ({
    ...vfio,
    pciFunctions: [{ ...nic, vendor: vendor as "0x0", device: device as "0x0", bars: [] }],
  });
  // of logs with made-up addresses, a device without known ids may be any
  expect(await failureOf(of("0x8086", "0x100e"), of("0x0", "0x0"))).not.toBeInstanceOf(Error);
  expect(await failureOf(of("0x0", "0x0"), of("0x8086", "0x100e"))).not.toBeInstanceOf(Error);
  expect(await failureOf(of("0x8086", "0x100e"), of("0x8086", "0x100e"))).not.toBeInstanceOf(Error);
  expect(await failureOf(of("0x8086", "0x100e"), of("0x8086", "0x10d3"))).toBeInstanceOf(Error);
  expect(await failureOf(of("0x8086", "0x100e"), of("0x10ec", "0x100e"))).toBeInstanceOf(Error);
});

describe("the clock", () => {
  const wall_ns = 0x18a0_0000_0000_0000n;
  const clockOf = (tsc: bigint, later_ns = 0n, tscFrequency_hz = 2e9) => ({
    clock: {
      tsc: `0x${tsc.toString(16)}`,
      wall_ns: `0x${(wall_ns + later_ns).toString(16)}`,
      tscFrequency_hz,
    } as const,
  });
  const timesOf = async (header: Partial<TraceHeader>, ...times: bigint[]) => {
    const first = { header: clockOf(0x1000n), times: [0x1000n] };
    const { times: all, header: made } = await merged(first, { header, times });
    expect(made.clock).toEqual(clockOf(0x1000n).clock);
    return all.slice(1).map((time) => time - 0x1000n);
  };

  test("is the same if both TSCs were 0 within two seconds, and of the same frequency but for a thousandth", async () => {
    expect(await timesOf(clockOf(0x1000n, 1_900_000_000n), 0x2000n)).toEqual([0x1000n]);
    expect(await timesOf(clockOf(0x1000n, 2_100_000_000n), 0x2000n)).toEqual([4_200_000_000n + 0x1000n]);
    expect(await timesOf(clockOf(0x1000n, 1_000n, 2.0019e9), 2_003_000_000n)).toEqual([2_003_000_000n - 0x1000n]);
    // half a millisecond of the wall clock, and a second of its own clock
    expect(await timesOf(clockOf(0x1000n, 500_000n, 2.0021e9), 0x1000n + 2_002_100_000n)).toEqual([2_001_000_000n]);
    expect(await timesOf(clockOf(0x1000n, 500_000n, 1.9979e9), 0x1000n + 1_997_900_000n)).toEqual([2_001_000_000n]);
  });

  test("is that of the trace begun first: by the TSC of one boot, by the wall clock of several", async () => {
    const clockOfAll = async (...headers: Partial<TraceHeader>[]) =>
      (await merged(...headers.map((header) => ({ header, times: [0x9000n] })))).header.clock;
    const [early, late] = [clockOf(0x1000n, 5n), clockOf(0x2000n)];
    for (const both of [[early, late] as const, [late, early] as const])
      expect(await clockOfAll(...both)).toEqual(early.clock);
    const [older, newer] = [clockOf(0x2000n), clockOf(0x1000n, 60_000_000_000n)];
    for (const both of [[older, newer] as const, [newer, older] as const])
      expect(await clockOfAll(...both)).toEqual(older.clock);
  });

  test("of an event without a time: it stays behind the one before it", async () => {
    const far = clockOf(0x1000n, 60_000_000_000n);
    expect(await timesOf(far, 0x1000n, 0n, 0x1002n)).toEqual([120_000_000_000n, -0x1000n, 120_000_000_002n]);
  });
});

test("times that go back within a trace are told with its name", async () => {
  const { timesBack } = await merged(
    { name: "a", times: [2n ** 48n, 2n ** 48n + 5n] },
    { name: "b", times: [2n ** 49n, 2n ** 48n] },
  );
  expect(timesBack.map(({ name, back }) => [name, Object.keys(back).length > 0])).toEqual([["b", true]]);
});

describe("parts that aren't whole", () => {
  const times = [10n, 20n, 30n].map((tsc) => 2n ** 48n + tsc);

  /** A trace cut behind its second block; one whose second block can't be read; and one whose source says something. */
  const damaged = async () => {
    const bytes = await bytesOf({ times });
    const [, second, third] = (await open(bytes)).blocks;
    const broken = Uint8Array.from(bytes);
    broken[second!.offset + 80]! ^= 1;
    return [
      await open(bytes.subarray(0, third!.offset), "cut.mmt"),
      await open(broken, "broken.mmt"),
      await open(bytes, "packed.mmt.gz", ["the packed file is cut"]),
    ] as const;
  };

  test("make a merged trace that says so of each", async () => {
    const { summary } = await merged(
      ...(await damaged()),
      { name: "whole.mmt", summary: { missed: 3 } },
      { summary: { missed: 4 } },
    );
    expect(summary.incomplete).toEqual([
      "cut.mmt: the trace is cut: the trace ends without its summary",
      expect.stringMatching(/^broken\.mmt: the trace is damaged at byte \d+, .*: 1 record can't be read$/),
      "packed.mmt.gz: the packed file is cut",
    ]);
    expect(summary.missed).toBe(7);
  });

  test("make a part that says so, before what it left out itself", async () => {
    const sentences: string[][] = [];
    for (const reader of await damaged()) {
      const sink = new MemorySink();
      const cut = await cutTrace(reader, {
        ...{ selection: {}, registers: new AccessRegisters(builtInFor), commandLine: [], leftOut: "only reads" },
        create: (header) => TraceWriter.into(sink, header, nodeCodec),
      });
      expect(cut.part).toBeUndefined();
      sentences.push([...(await open(sink.bytes)).summary!.incomplete]);
    }
    const made = "of the trace that it was made of:";
    expect(sentences).toEqual([
      ["it was made of a trace that is cut: the trace ends without its summary", "only reads"],
      [expect.stringMatching(`^${made} the trace is damaged at byte \\d+, .*: 1 record can't be read$`), "only reads"],
      [`${made} the packed file is cut`, "only reads"],
    ]);
  });
});
