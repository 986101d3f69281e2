// tier: quick
// Traces cut apart and merged again: the result is the original.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { madeUpHeader, madeUpRecords, madeUpSummary, RecordList } from "../../../dev/test-support/made-up-records.js";
import { importedTrace, mapSelected, recordedTrace, traceOf } from "../../../dev/test-support/recorded-traces.js";
import { UserError } from "../../base/errors.js";
import { builtInFor } from "../../registers/files/index.js";
import type { TraceReader } from "../../trace/file/reader.js";
import type { Bar, TraceHeader } from "../../trace/header.js";
import { createTrace } from "../../trace/node/create-trace.js";
import { openTrace } from "../../trace/node/file-source.js";
import { functionInRecord, RecordFlag, RecordKind, type RingRecord } from "../../trace/record.js";
import { TextWriter } from "../../trace/text.js";
import { compileFilter } from "../filter/filter.js";
import { AccessRegisters } from "../view/access-registers.js";
import type { Selection } from "../view/range.js";
import { cutTrace } from "./cut-trace.js";
import { mergeTraces } from "./merge-traces.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-cut-"));
afterAll(() => rmSync(directory, { recursive: true }));

/** Returns all lines that report would print. */
async function linesOf(reader: TraceReader, selection: Selection = {}): Promise<string[]> {
  const registers = new AccessRegisters(builtInFor);
  const text = new TextWriter(reader.header, (event, place) => registers.see(event, place));
  return mapSelected(reader, selection, ({ event, state }) => text.line(event, state));
}

async function cut(from: TraceReader, name: string, selection: Selection, leftOut?: string): Promise<TraceReader> {
  const path = join(directory, name);
  const create = (header: TraceHeader) => createTrace(path, header);
  const registers = new AccessRegisters(builtInFor);
  await cutTrace(from, { selection, registers, commandLine: ["mmiostrider", "cut"], leftOut, create });
  return openTrace(path);
}

async function merge(readers: TraceReader[], name: string): Promise<TraceReader> {
  const path = join(directory, name);
  const create = (header: TraceHeader) => createTrace(path, header);
  await mergeTraces(readers, { commandLine: ["mmiostrider", "merge"], create });
  return openTrace(path);
}

describe("a recorded trace", () => {
  test("its parts say what the whole says there, and merged they are the whole", async () => {
    const whole = await openTrace(recordedTrace);
    const lines = await linesOf(whole);
    const parts: TraceReader[] = [];
    const bounds = [0, 3, 4_000, 4_001, 9_000, whole.events];
    for (let part = 0; part + 1 < bounds.length; part += 1) {
      const selection: Selection = {
        from: { kind: "event", number: bounds[part]! },
        to: { kind: "event", number: bounds[part + 1]! - 1 },
      };
      const reader = await cut(whole, `part-${part}`, selection);
      expect(reader.complete).toBe(true);
      expect(reader.summary?.incomplete).toEqual([]);
      expect(await linesOf(reader)).toEqual(await linesOf(whole, selection));
      parts.push(reader);
    }
    const merged = await merge(parts.reverse(), "merged");
    expect(await linesOf(merged)).toEqual(lines);
    const part = parts.flatMap(({ summary }) => summary!.part);
    expect(part).toContain(`only a part of ${recordedTrace} was kept: from event 3 to event 3999`);
    expect(merged.summary).toEqual({ ...whole.summary, part });
    expect(merged.header.pciFunctions).toEqual((await cut(whole, "all", {})).header.pciFunctions);
    for (const reader of [whole, merged, ...parts]) await reader.close();
  });

  test("a note that counts is told as the whole's, in a part and in a merged trace", async () => {
    const list = new RecordList();
    for (const tsc of [1n, 2n, 3n]) list.add({ kind: RecordKind.read, address: 0xfebc0000n, width: 4, tsc });
    const path = join(directory, "noted");
    const writer = await createTrace(path, madeUpHeader());
    await writer.append(list.records);
    const notes = ["3 accesses are odd", "the log has no devices"];
    await writer.close({ ...madeUpSummary, notes });
    const whole = await openTrace(path);
    const ofWhole = [`in ${path}, 3 accesses are odd`, "the log has no devices"];
    const from = { kind: "event", number: 1 } as const;
    const [all, part] = [await cut(whole, "noted-all", {}), await cut(whole, "noted-part", { from })];
    const filtered = await cut(whole, "noted-filtered", {}, "only what fits the filter x was kept");
    const again = await cut(part, "noted-again", { from });
    const merged = await merge([part, again], "noted-merged");
    expect(all.summary?.notes).toEqual(notes);
    for (const reader of [part, filtered, again]) expect(reader.summary?.notes).toEqual(ofWhole);
    expect(merged.summary?.notes).toEqual([...ofWhole, expect.stringMatching(/^1 event is in it twice/)]);
    for (const reader of [whole, all, part, filtered, again, merged]) await reader.close();
  });

  test("a part of a log has the log's head, without its lines about the log's own entries", async () => {
    const lines = [
      "# tracer: mmiotrace",
      "# entries-in-buffer/entries-written: 3/10   #P:2",
      "VERSION 20070824",
      "PCIDEV 0018 8086100e b febc0000 c001 0 0 0 0 0 20000 40 0 0 0 0 0 e1000",
      ...[1, 2, 3].map((second) => `R 4 ${second}.000000 1 0xfebc0008 0x${second} 0x0 0`),
    ];
    const log = await importedTrace(`${lines.join("\n")}\n`);
    expect(log.header.importedHead).toBe(`${lines.slice(0, 4).join("\n")}\n`);
    const part = await cut(log, "headed", { from: { kind: "time", time_s: 2 } });
    expect(part.header.importedHead).toBe(`${[lines[0], ...lines.slice(2, 4)].join("\n")}\n`);
    for (const reader of [log, part]) await reader.close();
  });

  test("a part says which part it is", async () => {
    const list = new RecordList();
    const tsc = (second: number) => BigInt(madeUpHeader().clock.tsc) + BigInt(second * 2_000_000_000);
    for (const [second, text] of ["first", "second", "third"].entries()) {
      list.addText({ kind: RecordKind.mark, tsc: tsc(second) }, text);
    }
    const whole = await traceOf(list.records);
    const { name } = whole.source;
    const sentence = async (selection: Selection) => {
      const part = await cut(whole, "told", selection);
      const { summary } = part;
      await part.close();
      return summary!.part;
    };
    const mark = { kind: "mark", text: "second" } as const;
    expect(await sentence({ from: mark })).toEqual([`only a part of ${name} was kept: from the marker "second" on`]);
    expect(await sentence({ to: mark })).toEqual([`only a part of ${name} was kept: to the marker "second"`]);
    const [from, to] = [{ kind: "time", time_s: 0.5 } as const, { kind: "event", number: 1 } as const];
    expect(await sentence({ from, to })).toEqual([`only a part of ${name} was kept: from 0.5 s to event 1`]);
    expect(await sentence({ from: { kind: "event", number: 0 } })).toBeUndefined();
    await whole.close();
  });

  test("a part knows what was mapped before it", async () => {
    const whole = await openTrace(recordedTrace);
    const part = await cut(whole, "late", { from: { kind: "time", time_s: 2 } });
    const stateOf = async (reader: TraceReader, number: number) => {
      for await (const { event, state } of reader.eventsWithState()) {
        if (event.number === number && event.kind !== "symbol") return [...state.mappings.values()];
        if (event.number === number) number += 1;
      }
      return undefined;
    };
    const living = await stateOf(part, 0);
    expect(living?.length).toBe(1);
    expect(living).toEqual(await stateOf(whole, 9_000));
    await whole.close();
    await part.close();
  });

  test("the summary says that a filter left things out", async () => {
    const whole = await openTrace(recordedTrace);
    const writes = await cut(whole, "writes", { filter: compileFilter("write") }, "only writes were kept");
    expect(writes.summary).toMatchObject({ accesses: 6_537, mappings: 0, incomplete: ["only writes were kept"] });
    await whole.close();
    await writes.close();
  });

  test("nothing selected is an empty trace of the same machine", async () => {
    const whole = await openTrace(recordedTrace);
    const empty = await cut(whole, "empty", { from: { kind: "time", time_s: 1e6 } });
    expect([empty.events, empty.complete, empty.header.machine]).toEqual([0, true, whole.header.machine]);
    await whole.close();
    await empty.close();
  });
});

test("an event that several traces have is noticed by its facts; one without a time is none", async () => {
  const { tsc } = madeUpHeader().clock;
  const about = functionInRecord({ device: "0000:00:04.0", value: 0x100n });
  const dma = {
    mapping: about.mapping,
    address: 0x8000n,
    value: [0x9000n, about.value] as [bigint, bigint],
    width: 12,
  };
  const irq = { mapping: about.mapping, address: 24n, value: [33n, about.value] as [bigint, bigint] };
  const map = { mapping: 1, address: 0xfebc0000n, value: [0x1000n, 1n] as [bigint, bigint] };
  const access = { address: 0xfebc0000n, width: 4, value: [5n, 0n] as [bigint, bigint], mapping: 1, site: 0x10n };
  const words = (text: string) => ({ address: 0n, value: [0n, 0n] as [bigint, bigint], width: 0, text });
  const escaped = {
    kind: RecordKind.escape,
    address: 0xfebc0000n,
    value: [0x90n, 0n] as [bigint, bigint],
    width: 1,
    site: 7n,
  };
  const unrecorded = { address: 0xfebc0000n, value: [0x1000n, 3n] as [bigint, bigint], width: 4 };
  type Made = Partial<RingRecord> & { text?: string };
  /** An event, and others that differ from it in one fact. */
  const cases: [Made, ...Made[]][] = [
    [{ kind: RecordKind.read, ...access }, { kind: RecordKind.write }, { address: 0xfebc0004n }, { value: [6n, 0n] }],
    [{ kind: RecordKind.write, ...access }, { width: 2 }, { site: 0x20n }, { cpu: 1 }, { pid: 7 }, { flags: 1 }],
    [{ kind: RecordKind.map, ...map }, { address: 0xfebd0000n }, { value: [0x2000n, 1n] }],
    [{ kind: RecordKind.unmap, ...map }, { mapping: 2 }],
    [{ kind: RecordKind.mark, ...words("a mark") }, { text: "another" }],
    [{ kind: RecordKind.module, ...words("nic"), site: 0x1000n }, { text: "other" }, { flags: RecordFlag.gone }],
    [escaped, { address: 0xfebc0001n }, { site: 8n }],
    [{ kind: RecordKind.unrecorded, ...unrecorded }, { address: 0xfebd0000n }, { value: [0x1000n, 4n] }],
    [{ kind: RecordKind.irqEntry, ...irq }, { address: 25n }, { kind: RecordKind.irqExit }],
    [{ kind: RecordKind.dmaMap, ...dma }, { address: 0xa000n }, { mapping: about.mapping + 1 }],
    [{ kind: RecordKind.dmaUnmap, ...dma }, { address: 0xa000n }, { mapping: about.mapping + 1 }],
  ];
  const repeatsOf = async (...events: [Made, Made]) => {
    const readers = await Promise.all(
      events.map(({ text, ...record }) => {
        const list = new RecordList();
        if (text === undefined) list.add(record);
        else list.addText(record, text);
        return traceOf(list.records);
      }),
    );
    const merged = await merge(readers, "repeated");
    const notes = merged.summary?.notes ?? [];
    for (const reader of [...readers, merged]) await reader.close();
    return notes.filter((note) => /twice/.test(note)).length;
  };
  for (const [first, ...changes] of cases) {
    const event = { ...first, tsc: BigInt(tsc) + 5n };
    expect([event, await repeatsOf(event, event)]).toEqual([event, 1]);
    const { tsc: _none, ...timeless } = event;
    expect([timeless, await repeatsOf(timeless, timeless)]).toEqual([timeless, 0]);
    for (const change of changes) {
      const other = { ...event, ...change };
      expect([event, change, await repeatsOf(event, other)]).toEqual([event, change, 0]);
    }
  }
});

test("events of every kind, even of kinds that nobody knows, are copied as they are", async () => {
  const whole = await traceOf(madeUpRecords(3_000, 4));
  const copy = await cut(whole, "all-kinds", {});
  expect(await linesOf(copy)).toEqual(await linesOf(whole));
  for (const reader of [whole, copy]) await reader.close();
});

describe("traces of several recordings", () => {
  const site = 0xffffffffc0000010n;
  const start = 0x1_0000_0000_0000n;
  const recording = (tsc: bigint, symbol: string) => {
    const list = new RecordList();
    list.add({ kind: RecordKind.map, mapping: 1, address: 0xfebc0000n, value: [0x20000n, tsc], tsc, site });
    for (let number = 0n; number < 5n; number += 1n) {
      const at = { tsc: tsc + 1_000n * number, mapping: 1, site };
      list.addText({ kind: RecordKind.symbol, site }, symbol);
      list.add({ ...at, kind: RecordKind.read, address: 0xfebc0008n, width: 4, value: [number, 0n] });
    }
    return list.records;
  };

  test("one boot: by the TSC, with mappings told apart and each site's symbol its own", async () => {
    const first = await traceOf(recording(start, "f+0x1/0x2 [m]"));
    const second = await traceOf(recording(start + 1_500n, "g+0x1/0x2 [m]"));
    const merged = await merge([second, first], "boot");
    const told = await mapSelected(merged, {}, ({ event, symbol }) => [
      event.kind,
      Number(event.tsc - start),
      "mapping" in event ? event.mapping : 0,
      symbol,
    ]);
    const accesses = told.filter(([kind]) => kind === "read");
    expect(accesses.map(([, tsc]) => tsc)).toEqual([0, 1000, 1500, 2000, 2500, 3000, 3500, 4000, 4500, 5500]);
    for (const [, tsc, mapping, symbol] of accesses) {
      const isSecond = (tsc as number) % 1000 === 500;
      expect(symbol).toBe(isSecond ? "g+0x1 [m]" : "f+0x1 [m]");
      expect(mapping).toBe(told.find(([kind, at]) => kind === "map" && at === (isSecond ? 1500 : 0))![2]);
    }
    expect(new Set(accesses.map(([, , mapping]) => mapping)).size).toBe(2);
    for (const reader of [first, second, merged]) await reader.close();
  });

  test("two boots: by the wall clock", async () => {
    const minute_ns = 60_000_000_000n;
    const later = madeUpHeader({
      clock: { tsc: "0x1000", wall_ns: `0x${(0x18a0000000000000n + minute_ns).toString(16)}`, tscFrequency_hz: 1e9 },
    });
    const first = await traceOf(recording(start, "f+0x1/0x2"));
    const second = await traceOf(recording(0x1000n + 500_000_000n, "f+0x1/0x2"), later);
    const merged = await merge([second, first], "boots");
    const times = await mapSelected(merged, { filter: compileFilter("read") }, ({ time_s }) => time_s);
    expect(times.slice(0, 5)).toEqual([0, 5e-7, 1e-6, 1.5e-6, 2e-6]);
    expect(times[5]).toBeCloseTo(60.5, 9);
    for (const reader of [first, second, merged]) await reader.close();
  });

  test("of different machines they can't be merged, and nothing is begun", async () => {
    const [pci] = madeUpHeader().pciFunctions;
    const other = madeUpHeader({ pciFunctions: [{ ...pci!, device: "0x10d3" }] });
    const imported = madeUpHeader({ engine: "import" });
    const undated = madeUpHeader({ clock: { ...madeUpHeader().clock, wall_ns: "0x0" } });
    const withBar = (change: Partial<Bar>) => {
      const [bar, ...bars] = pci!.bars;
      return madeUpHeader({ pciFunctions: [{ ...pci!, bars: [{ ...bar!, ...change }, ...bars] }] });
    };
    const first = await traceOf(recording(start, "f+0x1/0x2"));
    for (const [header, what] of [
      [other, "0000:00:04.0 isn't the same device"],
      [madeUpHeader({ pciFunctions: [{ ...pci!, vendor: "0x10ec" }] }), "0000:00:04.0 isn't the same device"],
      [withBar({ start: "0xfebd0000" }), "0000:00:04.0 isn't the same device"],
      [withBar({ length_bytes: "0x10000" }), "0000:00:04.0 isn't the same device"],
      [withBar({ index: 2 }), "0000:00:04.0 isn't the same device"],
      [undated, "only one of them has a wall clock"],
      [imported, "only one of them was imported"],
    ] as const) {
      const second = await traceOf(recording(start, "f+0x1/0x2"), header);
      const create = () => {
        throw new Error("must not be asked for");
      };
      const merging = mergeTraces([first, second], { commandLine: [], create });
      await expect(merging).rejects.toThrow(UserError);
      await expect(merging).rejects.toThrow(what);
      await second.close();
    }
    await first.close();
  });

  test("without times they can't be merged", async () => {
    const list = new RecordList().add({ kind: RecordKind.read, address: 0xfebc0000n, width: 4 });
    const timeless = await traceOf(list.records, madeUpHeader({ engine: "import" }));
    const create = () => {
      throw new Error("must not be asked for");
    };
    await expect(mergeTraces([timeless, timeless], { commandLine: [], create })).rejects.toThrow(
      `merging ${timeless.source.name} failed: it has no times, by which traces are merged`,
    );
    await timeless.close();
  });

  test("of one machine they are, whatever drives the device, or if it came later", async () => {
    const [pci] = madeUpHeader().pciFunctions;
    const first = await traceOf(recording(start, "f+0x1/0x2"));
    for (const pciFunctions of [
      [{ ...pci!, driver: "vfio-pci", irq: 5 }],
      [],
      [{ ...pci!, address: "0000:00:05.0" }],
    ]) {
      const second = await traceOf(recording(start + 500n, "f+0x1/0x2"), madeUpHeader({ pciFunctions }));
      const merged = await merge([first, second], "one-machine");
      expect(merged.summary?.accesses).toBe(10);
      for (const reader of [second, merged]) await reader.close();
    }
    await first.close();
  });

  test("the merged trace is as incomplete as its parts", async () => {
    const path = join(directory, "lossy");
    const writer = await createTrace(path, madeUpHeader());
    await writer.append(recording(start, "f+0x1/0x2"));
    await writer.close({ ...madeUpSummary, incomplete: ["3 records were lost"] });
    const lossy = await openTrace(path);
    const whole = await traceOf(recording(start, "f+0x1/0x2"));
    const merged = await merge([whole, lossy], "lacking");
    expect(merged.summary?.incomplete).toEqual([`${path}: 3 records were lost`]);
    for (const reader of [whole, lossy, merged]) await reader.close();
  });
});
