// tier: quick
// Selections that a trace can't answer are refused, and with the reason; those that it can answer are taken, though nothing may fit.
import { afterAll, describe, expect, test } from "vitest";
import { madeUpHeader, RecordList } from "../../../dev/test-support/made-up-records.js";
import { importedTrace, mapSelected, traceOf } from "../../../dev/test-support/recorded-traces.js";
import { InvalidValueError } from "../../base/errors.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { RecordKind } from "../../trace/record.js";
import { compileFilter } from "../filter/filter.js";
import type { Bound } from "./range.js";

const opened: TraceReader[] = [];
afterAll(async () => {
  for (const reader of opened) await reader.close();
});

async function text(...lines: string[]): Promise<TraceReader> {
  const reader = await importedTrace(`VERSION 20070824\n${lines.map((line) => `${line}\n`).join("")}`);
  opened.push(reader);
  return reader;
}

const access = (time: string, site = "0x0") => `R 4 ${time} 1 0xd0000000 0x1 ${site} 0`;
const site = "0xffffffffc0000123";

describe("bounds", () => {
  const count = async (reader: TraceReader, from?: Bound, to?: Bound) =>
    (await mapSelected(reader, { from, to, boundsMustOccur: true }, () => 0)).length;
  const time = (time_s: number): Bound => ({ kind: "time", time_s });
  const event = (number: number): Bound => ({ kind: "event", number });

  test("beyond the ends are refused, those at them are not", async () => {
    const reader = await text(access("2.000000"), access("3.000000"), access("4.500000"));
    const { name } = reader.source;
    expect(await count(reader, event(2))).toBe(1);
    await expect(count(reader, event(3))).rejects.toThrow(`${name} has no event 3: its last one is 2`);
    expect(await count(reader, time(4.5))).toBe(1);
    await expect(count(reader, time(4.500_001))).rejects.toThrow(
      `${name} has nothing from 4.500001 s on: it ends at 4.500000 s`,
    );
    expect(await count(reader, undefined, time(2))).toBe(1);
    await expect(count(reader, undefined, time(1.5))).rejects.toThrow(
      `${name} has nothing up to 1.500000 s: it begins at 2.000000 s`,
    );
    await expect(count(reader, time(5))).rejects.toThrow(InvalidValueError);
    // between two events
    expect(await count(reader, time(3.5), time(4))).toBe(0);
    expect((await mapSelected(reader, { from: event(3) }, () => 0)).length).toBe(0);
  });

  test("of a trace without events are taken", async () => {
    expect(await count(await text(), event(7))).toBe(0);
    expect(await count(await text(), time(7))).toBe(0);
  });

  test("are those of the times, whatever their order", async () => {
    const reader = await text(access("5.000000"), access("2.000000"), access("3.000000"));
    await expect(count(reader, time(6))).rejects.toThrow("it ends at 5.000000 s");
    await expect(count(reader, undefined, time(1))).rejects.toThrow("it begins at 2.000000 s");
  });
});

describe("a filter", () => {
  const count = async (reader: TraceReader, filter: string, from?: Bound) =>
    (await mapSelected(reader, { from, filter: compileFilter(filter) }, () => 0)).length;

  test("by sites or modules needs an event with one", async () => {
    const none = await text(access("2.000000"), access("3.000000"));
    await expect(count(none, "site == 0")).rejects.toThrow(`${none.source.name} has no sites to select by: site`);
    await expect(count(none, "not module == x")).rejects.toThrow("has no symbols of sites to select by: module");
    const first = await text(access("2.000000", site), access("3.000000"));
    expect(await count(first, `site == ${site}`)).toBe(1);
    expect(await count(first, "site ~ nothing")).toBe(0);
    await expect(count(first, "module == x")).rejects.toThrow("has no symbols of sites to select by: module");
    await expect(count(first, "site ~ x", { kind: "event", number: 1 })).rejects.toThrow(
      "has no sites to select by in the selected part: site",
    );
    expect(await count(none, "value == 1")).toBe(2);
  });

  test("of a recording is taken whatever its events have", async () => {
    const list = new RecordList();
    list.add({ kind: RecordKind.read, address: 0xfebc0000n, width: 4, tsc: 1n });
    const reader = await traceOf(list.records);
    opened.push(reader);
    for (const filter of ["site ~ x", "module == x", "caller == x"]) expect(await count(reader, filter)).toBe(0);
    const functions = madeUpHeader().pciFunctions.map((found) => ({ ...found, driver: null }));
    const driverless = await traceOf(list.records, madeUpHeader({ pciFunctions: functions }));
    opened.push(driverless);
    expect(await count(driverless, "driver == x")).toBe(0);
    const log = await traceOf(list.records, madeUpHeader({ engine: "import", pciFunctions: functions }));
    opened.push(log);
    await expect(count(log, "driver == x")).rejects.toThrow("has no drivers to select by: driver");
    const partly = functions.map((found, at) => ({ ...found, driver: at === 0 ? "nic" : null }));
    const known = await traceOf(list.records, madeUpHeader({ engine: "import", pciFunctions: partly }));
    opened.push(known);
    expect(await count(known, "driver == x")).toBe(0);
  });

  test("by time, of a log without times, is refused with the other ways", async () => {
    const list = new RecordList();
    list.add({ kind: RecordKind.read, address: 0xfebc0000n, width: 4 });
    const reader = await traceOf(list.records, madeUpHeader({ engine: "import" }));
    opened.push(reader);
    const refused = {
      message: expect.stringContaining("has no times to select by"),
      advice: expect.stringContaining("@1234"),
    };
    await expect(count(reader, "time > 1")).rejects.toMatchObject(refused);
    await expect(count(reader, "value == 0", { kind: "time", time_s: 1 })).rejects.toMatchObject(refused);
    expect(await count(reader, "value == 0")).toBe(1);
  });

  test("by a fact that the log lacks is refused by its name", async () => {
    const list = new RecordList();
    list.add({ kind: RecordKind.read, address: 0xfebc0000n, width: 4, tsc: 1n });
    for (const [fact, field, words] of [
      ["cpu", "cpu == 0", "CPUs"],
      ["pid", "pid == 0", "processes"],
      ["context", "context == task", "contexts"],
      ["flags", "locked", "ways of accesses, such as locked,"],
      ["mapping", "mapping == 1", "mappings"],
      ["address", "address == 1", "physical addresses"],
      ["site", "site == 1", "sites"],
      ["site", "module == x", "sites"],
      ["caller", "caller == x", "callers"],
    ] as const) {
      const reader = await traceOf(list.records, madeUpHeader({ lacks: [fact] }));
      opened.push(reader);
      await expect(count(reader, field)).rejects.toThrow(`has no ${words} to select by: ${field.split(" ")[0]}`);
      expect(await count(reader, "value == 0")).toBe(1);
    }
    const bare = await traceOf(list.records, madeUpHeader({ pciFunctions: [] }));
    opened.push(bare);
    for (const field of ["device", "driver", "bar", "offset", "register", "meaning"]) {
      const filter = `${field} ${field === "bar" || field === "offset" ? "==" : "~"} 1`;
      await expect(count(bare, filter)).rejects.toThrow(`has no devices to select by: ${field}`);
    }
  });
});

test("a recording without sites, such as of a clean room, has none that fits, and that is no error", async () => {
  const list = new RecordList();
  list.add({ kind: RecordKind.read, address: 0xfebc0000n, width: 4, tsc: 1n });
  const selection = { filter: compileFilter("site == e1000_probe") };
  const [recorded, imported] = [
    await traceOf(list.records),
    await traceOf(list.records, madeUpHeader({ engine: "import" })),
  ];
  expect(await mapSelected(recorded, selection, ({ event }) => event.number)).toEqual([]);
  await expect(mapSelected(imported, selection, ({ event }) => event.number)).rejects.toThrow(
    /has no sites to select by/,
  );
  for (const reader of [recorded, imported]) await reader.close();
});
