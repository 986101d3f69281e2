// tier: quick
// Statistics of recorded traces, compared with counts made of the kernel's own text with regular expressions and sums, and
// with the trace's own summary.

import { expect, test } from "vitest";
import { madeUpHeader, RecordList } from "../../../dev/test-support/made-up-records.js";
import { importedTrace, recordedText, recordedTrace, traceOf } from "../../../dev/test-support/recorded-traces.js";
import { builtInFor } from "../../registers/files/index.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { openTrace } from "../../trace/node/file-source.js";
import { RecordFlag, RecordKind } from "../../trace/record.js";
import { AccessRegisters } from "../view/access-registers.js";
import { selectedViews } from "../view/selection.js";
import { Rows, registersMax, type Statistics, StatisticsCollector, valuesMax } from "./statistics.js";

/** Statistics with all rows made. */
type Told = { [K in keyof Statistics]: Statistics[K] extends Rows<infer R> ? R[] : Statistics[K] };

async function statisticsOf(reader: TraceReader): Promise<Told> {
  const collector = new StatisticsCollector(reader.header);
  for await (const { views } of selectedViews(reader, new AccessRegisters(builtInFor), {})) {
    for (const view of views) collector.add(view);
  }
  await reader.close();
  const result = Object.entries(collector.result());
  return Object.fromEntries(result.map(([name, value]) => [name, value instanceof Rows ? [...value] : value])) as Told;
}

interface Line {
  write: boolean;
  time_us: number;
  address: string;
  value: string;
  site: string;
}

const lines: Line[] = recordedText()
  .split("\n")
  .flatMap((line) => {
    const parts = /^([RW]) 4 (\d+)\.(\d{6}) 1 (0x\S+) (0x\S+) (0x\S+) 0$/.exec(line);
    if (parts === null) return [];
    const [, letter, seconds, micros, address, value, site] = parts as unknown as string[];
    return [
      {
        write: letter === "W",
        time_us: Number(seconds) * 1e6 + Number(micros),
        ...{ address: address!, value: value!, site: site! },
      },
    ];
  });

test("a site has a row for each symbol that its address had", async () => {
  const list = new RecordList();
  const site = 0xffffffffc0000123n;
  const access = (tsc: bigint) => list.add({ kind: RecordKind.read, address: 0xfebc0000n, width: 4, site, tsc });
  const named = (text: string) => list.addText({ kind: RecordKind.symbol, site }, text);
  access(1n);
  named("first+0x1/0x2 [one]");
  for (const tsc of [10n, 20n]) access(tsc);
  named("second+0x1/0x2 [two]");
  for (const tsc of [30n, 40n, 50n]) access(tsc);
  named("first+0x1/0x2 [one]");
  for (const tsc of [60n, 70n]) access(tsc);
  list.add({ kind: RecordKind.read, address: 0xfebc0000n, width: 4, tsc: 80n });
  const { sites, withoutSite } = await statisticsOf(await traceOf(list.records));
  expect(sites.map((row) => [row.site, row.module, row.accesses])).toEqual([
    ["first+0x1 [one]", "one", 4],
    ["second+0x1 [two]", "two", 3],
    ["0xffffffffc0000123", null, 1],
  ]);
  expect(withoutSite).toBe(1);
});

test("counts, bytes, values and times between are those of the kernel's text", async () => {
  const found = await statisticsOf(await importedTrace());
  expect([found.accesses, found.reads, found.writes]).toEqual([13_974, 7_425, 6_549]);
  expect(found.devices).toMatchObject([{ device: "0000:00:03.0", accesses: 13_974, read_bytes: 4 * 7_425 }]);

  const addresses = [...new Set(lines.map((line) => line.address))];
  expect(found.registers.length).toBe(addresses.length);
  for (const address of addresses) {
    const own = lines.filter((line) => line.address === address);
    const gaps = own.slice(1).map((line, index) => line.time_us - own[index]!.time_us);
    const row = found.registers.find(({ offset }) => BigInt(offset!) + 0xfebc0000n === BigInt(address))!;
    const values = new Set(own.map((line) => line.value)).size;
    expect(row).toMatchObject({
      accesses: own.length,
      writes: own.filter((line) => line.write).length,
      values,
      moreValues: false,
      last: own.at(-1)!.value,
      width_bytes: 4,
    });
    if (gaps.length === 0) expect(row.between_s).toBeNull();
    else {
      expect(row.between_s!.least).toBeCloseTo(Math.min(...gaps) / 1e6, 9);
      expect(row.between_s!.greatest).toBeCloseTo(Math.max(...gaps) / 1e6, 9);
      expect(row.between_s!.mean).toBeCloseTo(gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length / 1e6, 9);
    }
  }
  expect(found.registers.find(({ offset }) => offset === "0x8")?.register).toBe("STATUS");
  expect(found.registers[0]!.accesses).toBe(Math.max(...found.registers.map((row) => row.accesses)));

  for (const { site, accesses } of found.sites) {
    expect(accesses).toBe(lines.filter((line) => line.site === site).length);
  }
  expect(found.sites.length).toBe(new Set(lines.map((line) => line.site)).size);
});

test("polls are the runs of equal reads of the kernel's text", async () => {
  const found = await statisticsOf(await importedTrace());
  const runs: { key: string; reads: number }[] = [];
  for (const line of lines) {
    const key = `${line.write} ${line.address} ${line.site}`;
    if (runs.at(-1)?.key === key && !line.write) runs.at(-1)!.reads += 1;
    else runs.push({ key, reads: 1 });
  }
  const wanted = runs.filter(({ reads }) => reads >= 3);
  const sum = (numbers: number[]) => numbers.reduce((total, one) => total + one, 0);
  expect(sum(found.polls.map(({ polls }) => polls))).toBe(wanted.length);
  expect(sum(found.polls.map(({ reads }) => reads))).toBe(sum(wanted.map(({ reads }) => reads)));
});

test("a trace of ours: every table adds up to what the recorder counted", async () => {
  const reader = await openTrace(recordedTrace);
  const accesses = reader.summary!.accesses;
  const found = await statisticsOf(reader);
  expect(accesses).toBe(13_889);
  for (const table of [found.devices, found.registers, found.sites, found.cpus]) {
    expect(table.reduce((sum, row) => sum + row.accesses, 0)).toBe(accesses);
    expect(table.reduce((sum, row) => sum + row.read_bytes + row.written_bytes, 0)).toBe(4 * accesses);
  }
  expect(found.devices).toMatchObject([{ device: "0000:00:04.0", driver: "e1000" }]);
  expect(found.cpus.map(({ cpu }) => cpu)).toEqual([0, 1]);
  expect(found.sites.map(({ module }) => module)).toContain("e1000");
});

test("others in between don't end a poll, its own CPU's accesses do", async () => {
  const list = new RecordList();
  const site = 0xffffffffc0000010n;
  const read = (cpu: number, offset: bigint, tsc: bigint) =>
    list.add({ kind: RecordKind.read, address: 0xfebc0000n + offset, width: 4, cpu, pid: 100 + cpu, site, tsc });
  const start = 0x1_0000_0000_0000n;
  for (let tick = 0n; tick < 10n; tick += 1n) {
    read(0, 8n, start + 2000n * tick);
    read(1, 0x10n * tick, start + 2000n * tick + 1000n);
  }
  read(0, 0n, start + 30_000n);
  for (let tick = 0n; tick < 4n; tick += 1n) read(0, 8n, start + 40_000n + 2000n * tick);
  const { polls } = await statisticsOf(await traceOf(list.records));
  expect(polls).toMatchObject([
    { device: "0000:00:04.0", register: "STATUS", polls: 2, reads: 14, longest: 10, site: "0xffffffffc0000010" },
  ]);
  expect(polls[0]!.duration_s).toBeCloseTo((18_000 + 6_000) / madeUpHeader().clock.tscFrequency_hz, 12);
});

test("a framebuffer's places are counted one by one up to a limit, then together", async () => {
  const list = new RecordList();
  const places = registersMax + 1_000;
  for (let place = 0; place < places; place += 1) {
    const value: [bigint, bigint] = [BigInt(place), 0n];
    list.add({ kind: RecordKind.write, address: 0xf000_0000n + BigInt(place), width: 1, value, tsc: 1n });
    list.add({ kind: RecordKind.write, address: 0xf000_0000n, width: 1, value, tsc: 1n });
  }
  const found = await statisticsOf(await traceOf(list.records));
  expect(found.accesses).toBe(2 * places);
  expect(found.registers.length).toBe(registersMax + 1);
  expect(found.registers[0]).toMatchObject({
    offset: "0xf0000000",
    values: valuesMax,
    moreValues: true,
    accesses: places + 1,
  });
  // a sum of many places is no place: it isn't among them, however large it is
  expect(found.registers[1]).toMatchObject({ offset: "0xf0000001", accesses: 1 });
  expect(found.places).toBe(registersMax);
  expect(found.registers.at(-1)).toMatchObject({ offset: null, accesses: 1_000 });
});

test("a register with a name has a row of its own, however many places without one came before it", async () => {
  const list = new RecordList();
  for (let place = 0; place < registersMax + 10; place += 1) {
    list.add({ kind: RecordKind.write, address: 0xf000_0000n + BigInt(place), width: 1, value: [0n, 0n], tsc: 1n });
  }
  for (let read = 0; read < 5; read += 1) {
    list.add({ kind: RecordKind.read, address: 0xfebc_0008n, width: 4, value: [7n, 0n], tsc: 1n });
  }
  const found = await statisticsOf(await traceOf(list.records));
  expect(found.registers[0]).toMatchObject({ register: "STATUS", offset: "0x8", accesses: 5, last: "0x7" });
  expect(found.registers.at(-1)).toMatchObject({ offset: null, accesses: 10 });
});

test("a place that is read in two widths has two rows", async () => {
  const list = new RecordList();
  for (const width of [4, 2, 4]) list.add({ kind: RecordKind.read, address: 0xfebc_0008n, width, tsc: 1n });
  const { registers } = await statisticsOf(await traceOf(list.records));
  expect(registers.map((row) => [row.offset, row.width_bytes, row.accesses, row.read_bytes])).toEqual([
    ["0x8", 4, 2, 8],
    ["0x8", 2, 1, 2],
  ]);
});

test("reads with writes of the same instruction between them are no poll", async () => {
  const list = new RecordList();
  const both = { address: 0xfebc_0008n, width: 4, site: 0xffffffffc0000010n };
  for (let tick = 1n; tick <= 5n; tick += 1n) {
    list
      .add({ ...both, kind: RecordKind.read, tsc: 2n * tick })
      .add({ ...both, kind: RecordKind.write, tsc: 2n * tick });
  }
  expect((await statisticsOf(await traceOf(list.records))).polls).toEqual([]);
});

test("times that go back are no time between", async () => {
  const list = new RecordList();
  const { tsc: start, tscFrequency_hz } = madeUpHeader().clock;
  for (const after_s of [5, 1, 4]) {
    const tsc = BigInt(start) + BigInt(after_s * tscFrequency_hz);
    list.add({ kind: RecordKind.read, address: 0xfebc_0008n, width: 4, tsc });
  }
  const { registers } = await statisticsOf(await traceOf(list.records));
  expect(registers).toMatchObject([{ first_s: 1, last_s: 5, between_s: { least: 3, mean: 3, greatest: 3 } }]);
});

test("what isn't an access is counted by its kind, and contexts by CPU", async () => {
  const list = new RecordList();
  const read = { kind: RecordKind.read, address: 0xfebc_0008n, width: 4, tsc: 1n };
  list.add({ ...read, flags: RecordFlag.hardirq });
  list.add({ ...read, flags: RecordFlag.hardirq, cpu: 2 });
  list.add({ ...read, flags: RecordFlag.softirq, cpu: 2 });
  list.add({ ...read, flags: RecordFlag.softirq, cpu: 2 });
  list.add({ ...read, cpu: 2 });
  for (const count of [5n, 0n, 2n, 0n, 0n]) list.add({ kind: RecordKind.lost, value: [count, 0n] });
  list.add({ kind: RecordKind.escape, address: 0xfebc_0000n, value: [0x90n, 0n], width: 1 });
  for (const calls of [3n, 4n]) {
    list.add({ kind: RecordKind.unrecorded, address: 0xfebc_0000n, value: [0x1000n, calls], width: 4 });
  }
  list.addText({ kind: RecordKind.mark }, "a mark");
  const found = await statisticsOf(await traceOf(list.records));
  expect(found).toMatchObject({
    ...{ events: 14, accesses: 5, lost: 7, lostUncounted: 3, unreadable: 0, escaped: 1, unrecorded: 7 },
    withoutSite: 5,
    cpus: [
      { cpu: 0, accesses: 1, hardirq: 1, softirq: 0 },
      { cpu: 2, accesses: 4, hardirq: 1, softirq: 2 },
    ],
  });
});

test("values are counted once each, the last one is told, and a poll ends where records were lost", async () => {
  const list = new RecordList();
  const read = (value: bigint) =>
    list.add({ kind: RecordKind.read, address: 0xfebc_0008n, width: 4, value: [value, 0n], tsc: 1n });
  for (const value of [7n, 7n, 9n, 7n, 8n, 9n]) read(value);
  list.add({ kind: RecordKind.lost, value: [1n, 0n] });
  for (const value of [9n, 9n]) read(value);
  const { registers, polls } = await statisticsOf(await traceOf(list.records));
  expect(registers).toMatchObject([{ accesses: 8, values: 3, moreValues: false, last: "0x9", writes: 0 }]);
  expect(polls).toMatchObject([{ polls: 1, reads: 6, longest: 6 }]);
});

test("a poll goes on with the same read alone", async () => {
  const read = { kind: RecordKind.read, address: 0xfebc_0008n, width: 4, pid: 77, site: 0xffffffffc0000010n };
  for (const [changes, polls] of [
    [{}, [[1, 6]]],
    [
      { site: 0xffffffffc0000020n },
      [
        [1, 3],
        [1, 3],
      ],
    ],
    [
      { caller: 0xc0000020 },
      [
        [1, 3],
        [1, 3],
      ],
    ],
    [
      { width: 2 },
      [
        [1, 3],
        [1, 3],
      ],
    ],
    [
      { address: 0xfebc_0010n },
      [
        [1, 3],
        [1, 3],
      ],
    ],
    [{ cpu: 1 }, [[2, 6]]],
    [{ pid: 78 }, [[2, 6]]],
    [{ tsc: 1n }, [[2, 6]]],
  ] as const) {
    const list = new RecordList();
    for (const tsc of [2n, 3n, 4n]) list.add({ ...read, tsc });
    for (const tsc of [5n, 6n, 7n]) list.add({ ...read, tsc, ...changes });
    const found = (await statisticsOf(await traceOf(list.records))).polls;
    expect([changes, found.map((row) => [row.polls, row.reads])]).toEqual([changes, polls]);
  }
});

test("a table's rows are made one by one, the first ones or all", () => {
  const rows = new Rows(3, (index) => `row ${index}`);
  expect([rows.first(0), rows.first(2), rows.first(9)]).toEqual([[], ["row 0", "row 1"], ["row 0", "row 1", "row 2"]]);
  expect([rows.at(1), [...rows].length]).toEqual(["row 1", 3]);
});
