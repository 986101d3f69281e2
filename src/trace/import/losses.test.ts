// tier: quick
// Losses that a log itself reports: each counts once, stands at its place, and makes the trace incomplete.
import { describe, expect, test } from "vitest";
import { incompleteOf } from "../file/incomplete.js";
import { TraceReader } from "../file/reader.js";
import { MemorySink } from "../file/sink.js";
import { MemorySource } from "../file/source.js";
import { TraceWriter } from "../file/writer.js";
import { nodeCodec } from "../node/codec.js";
import { detectInput } from "./formats.js";
import { importLog } from "./import-log.js";

async function imported(lines: string[]) {
  const bytes = Buffer.from(`${lines.join("\n")}\n`);
  const sink = new MemorySink();
  const chunks = (async function* () {
    yield bytes;
  })();
  const told = await importLog({ name: "log", format: detectInput(bytes)!, chunks }, {}, (header) =>
    TraceWriter.into(sink, header, nodeCodec),
  );
  const reader = await TraceReader.open(new MemorySource(sink.bytes), nodeCodec);
  const events: (string | bigint)[] = [];
  for await (const { event } of reader.eventsWithState()) {
    if (event.kind === "lost") events.push(event.count);
    else if (event.kind !== "mark" && event.kind !== "symbol") events.push(event.kind);
  }
  expect(told.incomplete).toEqual(incompleteOf(reader));
  return { events, summary: reader.summary!, incomplete: incompleteOf(reader), notes: told.notes };
}

const access = "R 4 1.000010 1 0xfebc0008 0x80080783 0x0 0";
const other = "cat-1234  [001] d.h1. 101.000300: rwmmio_write: f+0x8/0x10 width=64 val=0 addr=0xffffffc008100018";
const head = (tracer: string, counts: string) => [
  `# tracer: ${tracer}`,
  "#",
  `# entries-in-buffer/entries-written: ${counts}   #P:4`,
  "#",
];

describe.each([
  ["mmiotrace", access, "read"],
  ["rwmmio", other, "write"],
] as const)("%s", (tracer, line, kind) => {
  test("entries that were overwritten before the log was read are lost before its first event", async () => {
    const { events, summary, incomplete, notes } = await imported([...head(tracer, "2/372955"), line, line]);
    expect(events).toEqual([372_953n, kind, kind]);
    expect(summary.lost).toBe(372_953);
    expect(incomplete).toEqual(["372,953 events were lost when the log was made"]);
    expect(notes.filter((note) => note.includes("lines"))).toEqual([]);
  });

  test("a head in which nothing was overwritten reports no loss", async () => {
    const { events, incomplete } = await imported([...head(tracer, "1/1"), line]);
    expect(events).toEqual([kind]);
    expect(incomplete).toEqual([]);
  });

  test("a log that was cut has fewer entries than its head announces", async () => {
    const lines = [
      ...head(tracer, "5/5"),
      line,
      line,
      ...head(tracer, "2/2"),
      line,
      "CPU:3 [LOST 1 EVENTS]",
      "a stack",
      line,
    ];
    const { incomplete } = await imported(lines);
    expect(incomplete).toEqual([
      "the head in line 3 announces 5 entries, of which at most 2 are in the log",
      "1 event was lost when the log was made",
    ]);
  });

  test("a CPU's losses stand where they happened, also those that nobody counted", async () => {
    const { events, summary, incomplete } = await imported([
      ...head(tracer, "3/3"),
      line,
      "CPU:3 [LOST 1234 EVENTS]",
      line,
      "CPU:0 [LOST EVENTS]",
      line,
      "CPU:1 [7 EVENTS DROPPED]",
    ]);
    expect(events).toEqual([kind, 1234n, kind, 0n, kind, 7n]);
    expect(summary).toMatchObject({ lost: 1241, lostUncounted: 1 });
    expect(incomplete).toEqual([
      "1,241 events were lost when the log was made",
      "events were lost in 1 place, and the log doesn't say how many",
    ]);
  });
});

test("mmiotrace's mark and trace_pipe's line about the same losses count once: the greater sum", async () => {
  const { events, summary } = await imported([
    "VERSION 20070824",
    "MARK 0.000000 Lost 55 events.",
    access,
    "CPU:0 [LOST 50 EVENTS]",
    access,
    "CPU:0 [LOST 10 EVENTS]",
    access,
    "MARK 0.000000 Lost 15 events.",
    access,
  ]);
  expect(events).toEqual([55n, "read", "read", 5n, "read", 10n, "read"]);
  expect(summary.lost).toBe(70);
});

test("a loss counts in a log with carriage returns, too", async () => {
  const { summary } = await imported(
    ["VERSION 20070824", access, "MARK 0.000000 Lost 55 events.", access, "CPU:1 [LOST 60 EVENTS]"].map(
      (line) => `${line}\r`,
    ),
  );
  expect(summary.lost).toBe(60);
});

test.each([
  ["mmiotrace", access, "read"],
  ["qemu", "memory_region_ops_write cpu 0 mr 0x5 addr 0xfebc0008 value 0x1 size 4 name 'nic'", "write"],
  ["vfio", "vfio_region_write  (0000:01:00.0:region0+0x28, 0x21cc000, 4)", "write"],
  ["rwmmio", other, "write"],
])("a log of %s becomes a trace that lacks nothing", async (format, line, kind) => {
  expect(detectInput(Buffer.from(`${line}\n`))).toBe(format);
  const { events, summary, incomplete } = await imported([line]);
  expect(events.filter((event) => event !== "map")).toEqual([kind]);
  expect([summary.accesses, incomplete]).toEqual([1, []]);
});
