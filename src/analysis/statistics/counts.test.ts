// tier: quick
// Statistics of a few accesses, number by number: contexts, values, sites, places.
import { describe, expect, test } from "vitest";
import { madeUpHeader, RecordList } from "../../../dev/test-support/made-up-records.js";
import { traceOf } from "../../../dev/test-support/recorded-traces.js";
import type { TraceHeader } from "../../trace/header.js";
import { RecordFlag, RecordKind, type RingRecord } from "../../trace/record.js";
import { AccessRegisters } from "../view/access-registers.js";
import { selectedViews } from "../view/selection.js";
import { StatisticsCollector } from "./statistics.js";

const start = BigInt(madeUpHeader().clock.tsc);
const base = { kind: RecordKind.read, address: 0xfebc_0008n, width: 4, tsc: start, site: 5n };

async function statisticsOf(records: Partial<RingRecord>[], header: Partial<TraceHeader> = {}) {
  const list = new RecordList();
  for (const record of records) list.add({ ...base, ...record });
  const reader = await traceOf(list.records, madeUpHeader(header));
  const collector = new StatisticsCollector(reader.header);
  for await (const { views } of selectedViews(reader, new AccessRegisters(() => undefined), {})) {
    for (const view of views) collector.add(view);
  }
  await reader.close();
  return collector.result();
}

const { hardirq, softirq, nmi } = RecordFlag;

describe("CPUs", () => {
  const records = [
    { cpu: 2, flags: hardirq },
    { cpu: 2, flags: hardirq | softirq },
    { cpu: 2, flags: softirq },
    { cpu: 2, flags: nmi },
    { cpu: 0 },
    { cpu: 2 },
  ];

  test("are in their order, each with the contexts of its accesses", async () => {
    const { cpus } = await statisticsOf(records);
    expect([...cpus].map(({ cpu, accesses, hardirq: hard, softirq: soft }) => [cpu, accesses, hard, soft])).toEqual([
      [0, 1, 0, 0],
      [2, 5, 2, 1],
    ]);
  });

  test("of a log without contexts have none, and one without CPUs has no rows", async () => {
    const { cpus } = await statisticsOf(records, { lacks: ["context"] });
    expect([...cpus].map(({ hardirq: hard, softirq: soft }) => [hard, soft])).toEqual([
      [null, null],
      [null, null],
    ]);
    expect([...(await statisticsOf(records, { lacks: ["cpu"] })).cpus]).toEqual([]);
  });
});

test("different values are counted once each, and the last one is told", async () => {
  const valuesOf = async (...values: bigint[]) => {
    const { registers } = await statisticsOf(values.map((value) => ({ value: [value, 0n] as [bigint, bigint] })));
    return [...registers].map(({ values: count, last, moreValues }) => [count, last, moreValues]);
  };
  expect(await valuesOf(7n)).toEqual([[1, "0x7", false]]);
  expect(await valuesOf(7n, 7n)).toEqual([[1, "0x7", false]]);
  expect(await valuesOf(0n, 7n, 0n, 7n)).toEqual([[2, "0x7", false]]);
  expect(await valuesOf(1n, 2n, 3n, 2n)).toEqual([[3, "0x2", false]]);
});

test("places: in a BAR by their offset, elsewhere by their address; those with most accesses first", async () => {
  const { registers, devices, places } = await statisticsOf([
    { address: 0xfed0_0000n },
    { address: 0xfebc_0010n },
    { address: 0xfebc_0010n },
    { address: 0xc_0000_0000_0070n, width: 1 },
    { address: 0xfebc_0010n, width: 2 },
  ]);
  expect(
    [...registers].map(({ device, bar, offset, width_bytes, accesses }) => [
      device,
      bar,
      offset,
      width_bytes,
      accesses,
    ]),
  ).toEqual([
    ["0000:00:04.0", 0, "0x10", 4, 2],
    [null, null, "0xfed00000", 4, 1],
    ["0000:00:04.0", 0, "0x10", 2, 1],
    [null, null, "port 0x70", 1, 1],
  ]);
  expect([...devices].map(({ device, driver, accesses }) => [device, driver, accesses])).toEqual([
    ["0000:00:04.0", "e1000", 3],
    [null, null, 2],
  ]);
  expect(places).toBe(4);
});

test("sites: each with its accesses, those without one by themselves", async () => {
  const { sites, withoutSite } = await statisticsOf([{ site: 0n }, { site: 9n }, {}, {}, { caller: 1 }]);
  expect([...sites].map(({ site, module, accesses }) => [site, module, accesses])).toEqual([
    ["0x5", null, 2],
    ["0x9", null, 1],
    ["0x5 from 0xffffffff00000001", null, 1],
  ]);
  expect(withoutSite).toBe(1);
});

test("losses, gaps and escapes are counted apart from accesses", async () => {
  const { lost: kindOfLoss, unrecorded } = RecordKind;
  const found = await statisticsOf([
    { kind: kindOfLoss, value: [5n, 0n] },
    { kind: kindOfLoss, value: [0n, 0n] },
    { kind: kindOfLoss, value: [4n, 0n], flags: RecordFlag.gone },
    { kind: RecordKind.escape, width: 1 },
    { kind: unrecorded, value: [16n, 3n], width: 1 },
    {},
  ]);
  const { accesses, escaped, unrecorded: mappings, lostUncounted, lost, unreadable } = found;
  expect({ accesses, escaped, mappings, lostUncounted, lost, unreadable }).toEqual({
    ...{ accesses: 1, escaped: 1, mappings: 3, lostUncounted: 1, lost: 5, unreadable: 4 },
  });
});
