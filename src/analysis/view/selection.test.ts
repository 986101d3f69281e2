// tier: quick
// Ranges of traces of several blocks: seeking must give the same as reading everything.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { madeUpRecords } from "../../../dev/test-support/made-up-records.js";
import {
  importedTrace,
  mapSelected,
  recordedText,
  recordedTrace,
  traceOf,
} from "../../../dev/test-support/recorded-traces.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { openTrace } from "../../trace/node/file-source.js";
import { compileFilter } from "../filter/filter.js";
import type { Bound } from "./range.js";

let reader: TraceReader;
let all: { number: number; time_s: number; mark: boolean }[];
beforeAll(async () => {
  reader = await traceOf(madeUpRecords(250_000, 17));
  all = await mapSelected(reader, {}, (view) => {
    return { number: view.event.number, time_s: view.time_s, mark: view.event.kind === "mark" };
  });
});
afterAll(() => reader.close());

const numbers = (from?: Bound, to?: Bound) => mapSelected(reader, { from, to }, (view) => view.event.number);

describe("a part of a long trace", () => {
  test("there are several blocks to seek in", () => {
    expect(reader.blocks.length).toBeGreaterThan(3);
    expect(all.length).toBeGreaterThan(100_000);
  });

  test.each([
    [0, 10],
    [70_000, 70_010],
    [65_000, 190_000],
  ])("by event: %d to %d", async (from, to) => {
    const wanted = all.filter(({ number }) => number >= from && number <= to).map(({ number }) => number);
    expect(await numbers({ kind: "event", number: from }, { kind: "event", number: to })).toEqual(wanted);
  });

  test.each([0.001, 0.3, 0.77])("by time, from the part %d of it on", async (part) => {
    // Times go back at some places; an event in the range counts at any place.
    const from = all.at(-1)!.time_s * part;
    const to = from + all.at(-1)!.time_s * 0.1;
    const wanted = all.filter(({ time_s }) => time_s >= from && time_s <= to).map(({ number }) => number);
    expect(wanted.length).toBeGreaterThan(1000);
    expect(await numbers({ kind: "time", time_s: from }, { kind: "time", time_s: to })).toEqual(wanted);
  });

  test("from one marker to another", async () => {
    const marks = all.filter(({ mark }) => mark).map(({ number }) => number);
    const text = "mm";
    const found = await numbers({ kind: "mark", text }, { kind: "mark", text });
    expect(found.length).toBe(1);
    expect(marks).toContain(found[0]);
    const rest = await numbers({ kind: "mark", text });
    expect(rest[0]).toBe(found[0]);
    expect(rest.at(-1)).toBe(all.at(-1)!.number);
  });
});

test("the kernel's marker begins a range of the kernel's text", async () => {
  const imported = await importedTrace();
  const after = recordedText()
    .split("\n")
    .filter((line) => /^[RW] /.test(line)).length;
  const filter = compileFilter("access");
  const from: Bound = { kind: "mark", text: "hello" };
  expect((await mapSelected(imported, { from, filter }, () => 0)).length).toBe(after);
  expect((await mapSelected(imported, { to: from, filter }, () => 0)).length).toBe(0);
  await imported.close();
});

test("lost records are told whatever the filter", async () => {
  const filter = compileFilter("cpu == 77");
  const kinds = await mapSelected(reader, { filter }, (view) => view.event.kind);
  expect(new Set(kinds)).toEqual(new Set(["lost"]));
});

test("a trace is read whole where nothing is selected", async () => {
  const ours = await openTrace(recordedTrace);
  const accesses = await mapSelected(ours, { filter: compileFilter("access") }, () => 0);
  expect(accesses.length).toBe(ours.summary?.accesses);
  await ours.close();
});
