// tier: quick
// Traces made of events: their counts, their symbols, and their header with the updates in it.
import { expect, test } from "vitest";
import { madeUpHeader } from "../../../dev/test-support/made-up-records.js";
import type { AccessEvent, TraceEvent } from "../../trace/events.js";
import { TraceReader } from "../../trace/file/reader.js";
import { MemorySink } from "../../trace/file/sink.js";
import { MemorySource } from "../../trace/file/source.js";
import { TraceWriter } from "../../trace/file/writer.js";
import { nodeCodec } from "../../trace/node/codec.js";
import { RecordFlag } from "../../trace/record.js";
import { copiedEvent, copiedHeader } from "./copied-losses.js";
import { TraceCopy, updatedHeader } from "./trace-copy.js";

const base = { number: 0, sequence: 1, tsc: 5n, cpu: 1, pid: 7, flags: 0 };
const site = 0xffff_ffff_c000_0010n;
const access: AccessEvent = {
  ...{
    ...base,
    kind: "read",
    address: 0xfebc_0000n,
    width_bytes: 4,
    value: 1n,
    site,
    caller: 0n,
    mapping: 1,
    target: -1,
  },
};
const named = (names: Record<string, string>) => ({ symbolOf: (of: bigint) => names[of.toString(16)] });
const nameless = named({});

/** Copies events, each with its own symbols; returns the new trace's reader and events. */
async function copied(events: [TraceEvent, ReturnType<typeof named>][]) {
  const sink = new MemorySink();
  const copy = new TraceCopy(await TraceWriter.into(sink, madeUpHeader(), nodeCodec));
  for (const [event, state] of events) await copy.add(event, state);
  await copy.close({ missed: 3, incomplete: ["a"] });
  const reader = await TraceReader.open(new MemorySource(sink.bytes), nodeCodec);
  const found: TraceEvent[] = [];
  for await (const { event } of reader.eventsWithState()) found.push({ ...event });
  return { copy, reader, found };
}

test("the summary counts what was copied", async () => {
  const unrecorded: TraceEvent = {
    ...{ ...base, kind: "unrecorded", address: 1n, length_bytes: 2n, way: "fixmap", calls: 3n, site: 0n },
  };
  const map: TraceEvent = {
    ...{ ...base, kind: "map", mapping: 1, address: 1n, length_bytes: 2n, decoy: 3n, memoryType: "uncached", site: 0n },
  };
  const all: TraceEvent[] = [
    ...[access, { ...access, kind: "write" } as const, map, unrecorded, unrecorded],
    ...[5n, 0n, 2n, 0n].map((count): TraceEvent => ({ ...base, kind: "lost", count })),
    { ...base, kind: "escape", address: 1n, site: 2n, caller: 0n, mapping: 1, instruction: Uint8Array.of(1) },
    { ...base, kind: "mark", text: "here" },
  ];
  const { copy, reader } = await copied(all.map((event) => [event, nameless]));
  expect(reader.summary).toEqual({
    ...{ accesses: 2, lost: 7, lostUncounted: 2, escaped: 1, unrecorded: 6, mappings: 1, missed: 3, incomplete: ["a"] },
  });
  expect(copy.events).toBe(11);
  const { reader: whole } = await copied([[access, nameless]]);
  expect(whole.summary).not.toHaveProperty("lostUncounted");
});

test("a symbol comes before the first event that needs it, again if it changed, and not by itself", async () => {
  const caller = 0xffff_ffff_c000_0020n;
  const [one, other] = [
    named({ [site.toString(16)]: "f", [caller.toString(16)]: "g" }),
    named({ [site.toString(16)]: "h" }),
  ];
  const { found, copy } = await copied([
    [{ ...base, kind: "symbol", site, text: "unused" }, one],
    [access, one],
    [{ ...access, caller }, one],
    [{ ...access, site: 0n }, one],
    [access, other],
    [access, nameless],
  ]);
  const texts = found.map((event) =>
    event.kind === "symbol" ? `${event.text}@${event.site.toString(16)}` : event.kind,
  );
  expect(texts).toEqual([
    ...["f@ffffffffc0000010", "read", "g@ffffffffc0000020", "read", "read", "h@ffffffffc0000010", "read", "read"],
  ]);
  expect(copy.events).toBe(5);
});

test("updates take the place of functions and modules of the same name, in the order of addresses", () => {
  const { pciFunctions, modules } = madeUpHeader();
  const [nic, module] = [pciFunctions[0]!, modules[0]!];
  const before = madeUpHeader();
  const changed = updatedHeader(before, [
    {
      pciFunctions: [
        { ...nic, address: "0000:00:05.0" },
        { ...nic, driver: "vfio" },
      ],
    },
    {
      modules: [
        { ...module, text_bytes: 1 },
        { ...module, name: "b" },
      ],
    },
    { pciFunctions: [{ ...nic, address: "0000:00:03.0" }] },
  ]);
  expect(changed.pciFunctions.map(({ address, driver }) => `${address} ${driver}`)).toEqual([
    ...["0000:00:03.0 e1000", "0000:00:04.0 vfio", "0000:00:05.0 e1000"],
  ]);
  expect(changed.modules.map(({ name, text_bytes }) => `${name} ${text_bytes}`)).toEqual(["e1000 1", "b 32768"]);
  expect(updatedHeader(before, [])).toEqual(before);
});

test("a log's own lines about its losses and entries aren't copied; its losses are, as events", () => {
  const log = madeUpHeader({ engine: "import" });
  const line = (text: string, flags: number = RecordFlag.verbatim): TraceEvent => ({
    ...base,
    kind: "mark",
    text,
    flags,
  });
  for (const text of [
    "CPU:3 [LOST 1234 EVENTS]",
    "# entries-in-buffer/entries-written: 1/2\r",
    "MARK 0.000000 Lost 5 events.",
  ]) {
    expect(copiedEvent(line(text), log), text).toBeUndefined();
    expect(copiedEvent(line(text, 0), log), text).toMatchObject({ text });
    expect(copiedEvent(line(text), madeUpHeader()), text).toMatchObject({ text });
  }
  expect(copiedEvent(line("other words"), log)).toMatchObject({ text: "other words", flags: RecordFlag.verbatim });
  const lost: TraceEvent = { ...base, kind: "lost", count: 5n, flags: RecordFlag.verbatim | RecordFlag.gone };
  expect(copiedEvent(lost, log)).toEqual({ ...lost, flags: RecordFlag.gone });
  expect(copiedEvent(lost, madeUpHeader())).toBe(lost);
});

test("a log's head is copied without them, with a line for each device that came later", () => {
  const [nic] = madeUpHeader().pciFunctions;
  const later = { ...nic!, address: "0000:00:05.0", bars: [], driver: null };
  const header = (importedHead: string | undefined, importedLineEnd?: string) =>
    madeUpHeader({
      ...{ engine: "import", pciFunctions: [nic!, later] },
      ...(importedHead === undefined ? {} : { importedHead }),
      ...(importedLineEnd === undefined ? {} : { importedLineEnd }),
    });
  const line = "PCIDEV 0028 8086100e b 0 0 0 0 0 0 0 0 0 0 0 0 0 0 ";
  const counts = "# entries-in-buffer/entries-written: 1/2";
  expect(copiedHeader(header(`VERSION 1\n${counts}\nx\n`), [nic!]).importedHead).toBe(`VERSION 1\nx\n${line}\n`);
  expect(copiedHeader(header(`VERSION 1\r\n${counts}\r\n`, "\r\n"), [nic!]).importedHead).toBe(
    `VERSION 1\r\n${line}\r\n`,
  );
  expect(copiedHeader(header("VERSION 1\n"), [nic!, later]).importedHead).toBe("VERSION 1\n");
  const without = header(undefined);
  expect(copiedHeader(without, [])).toBe(without);
});
