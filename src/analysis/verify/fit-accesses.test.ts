// tier: quick
// The trace's accesses in the form of QEMU's log: extents of regions, pieces, places that the log has nothing of, fences.
import { describe, expect, test } from "vitest";
import { madeUpHeader, RecordList } from "../../../dev/test-support/made-up-records.js";
import { traceOf } from "../../../dev/test-support/recorded-traces.js";
import { fenceBytes } from "../../base/fence-bytes.js";
import { RecordFlag, RecordKind } from "../../trace/record.js";
import { TraceState } from "../../trace/state.js";
import { fenceWindow } from "./fence-window.js";
import { extentOf, findExtents, fitAccesses, LoggedPlaces, tracedPart } from "./fit-accesses.js";
import { findPortAliases } from "./port-aliases.js";
import { addressInTrace, collectAccesses } from "./traced-accesses.js";
import type { TruthAccesses } from "./truth-log.js";

/** Makes a log of accesses: region, address, width. */
function truthOf(...accesses: [region: number, address: number, width_bytes: number][]): TruthAccesses {
  const column = (index: number) => accesses.map((access) => access[index]!);
  return {
    count: accesses.length,
    region: Uint16Array.from(column(0)),
    address: Float64Array.from(column(1)),
    width_bytes: Uint8Array.from(column(2)),
  } as TruthAccesses;
}

const bar = 0xfebc0000;
const window = (from: number, to: number) => ({ from, to, fromLine: 0, toLine: Infinity });

test("a region's extent is that of its accesses in the window, the smallest region's first", () => {
  const truth = truthOf(
    [9, 0, 1],
    [0, bar + 0x10, 4],
    [1, bar + 0x20, 2],
    [0, bar + 0x100, 8],
    [0, bar + 8, 2],
    [1, bar + 0x20, 4],
    [9, 0, 1],
  );
  const extents = findExtents(truth, window(1, 6));
  expect(extents).toEqual([
    { range: { first: bar + 0x20, last: bar + 0x23 }, region: 1, narrowest: 2, widest: 4 },
    { range: { first: bar + 8, last: bar + 0x107 }, region: 0, narrowest: 2, widest: 8 },
  ]);
  expect([7, 8, 0x1f, 0x20, 0x23, 0x24, 0x107, 0x108].map((offset) => extentOf(extents, bar + offset)?.region)).toEqual(
    [...[undefined, 0, 0, 1, 1, 0, 0, undefined]],
  );
});

/** Collects the accesses of a trace: a mapping of 4096 bytes, and accesses in it. */
async function collected(
  ...accesses: { offset: number; width: number; value?: bigint; upper?: bigint; kind?: number; flags?: number }[]
) {
  const list = new RecordList();
  list.add({ kind: RecordKind.map, address: BigInt(bar), value: [0x1000n, 0n], mapping: 1 });
  for (const { offset, width, value = 0n, upper = 0n, kind = RecordKind.read, flags = 0 } of accesses) {
    list.add({ kind, address: BigInt(bar + offset), width, value: [value, upper], cpu: 3, mapping: 1, flags });
  }
  return collectAccesses(await traceOf(list.records));
}

test("an access is collected with its parts of at most eight bytes", async () => {
  const found = await collected(
    { offset: 0, width: 4, value: 0x8765_4321n },
    { offset: 8, width: 8, value: 0xfedc_ba98_7654_3210n, kind: RecordKind.write, flags: RecordFlag.unordered },
    { offset: 16, width: 12, value: 0x1111_1111_2222_2222n, upper: 0x3333_3333n },
  );
  const parts = Array.from({ length: found.count }, (_, at) => tracedPart(found, at));
  const common = { write: 0, cpu: 3, unordered: 0 };
  expect(parts).toEqual([
    { ...common, address: bar, width_bytes: 4, valueLow: 0x8765_4321, valueHigh: 0, event: 1 },
    {
      ...common,
      write: 1,
      address: bar + 8,
      width_bytes: 8,
      valueLow: 0x7654_3210,
      valueHigh: 0xfedc_ba98,
      event: 2,
      unordered: 1,
    },
    { ...common, address: bar + 16, width_bytes: 8, valueLow: 0x2222_2222, valueHigh: 0x1111_1111, event: 3 },
    { ...common, address: bar + 24, width_bytes: 4, valueLow: 0x3333_3333, valueHigh: 0, event: 3 },
  ]);
  const range = { first: bar, last: bar + 0xfff };
  expect([found.mapped, found.atStart, found.coverage]).toEqual([[range], [], [{ at: 0, living: [range] }]]);
});

test("mappings' lives, losses and escapes are collected with their places", async () => {
  const list = new RecordList();
  const map = (mapping: number, address: bigint) =>
    list.add({ kind: RecordKind.map, address, value: [16n, 0n], mapping });
  const read = (address: bigint) => list.add({ kind: RecordKind.read, address, width: 4 });
  map(1, 0x2_0000n);
  read(0x2_0000n);
  map(2, 0x3_0000n);
  list.add({ kind: RecordKind.unmap, address: 0x2_0000n, mapping: 1 });
  read(0x3_0000n);
  list.add({ kind: RecordKind.lost, value: [3n, 0n] });
  list.add({ kind: RecordKind.lost, value: [4n, 0n] });
  list.add({ kind: RecordKind.escape, width: 1 });
  // other kinds of records are no accesses
  const { mark, symbol, module, unrecorded, irqEntry, irqExit, dmaMap, dmaUnmap } = RecordKind;
  for (const kind of [mark, symbol, module, unrecorded, irqEntry, irqExit, dmaMap, dmaUnmap, 99]) list.add({ kind });
  const parts: number[] = [];
  const found = await collectAccesses(await traceOf(list.records), (part) => parts.push(part));
  const [one, two] = [0x2_0000, 0x3_0000].map((first) => ({ first, last: first + 15 }));
  expect(found.coverage).toEqual([
    { at: 0, living: [one] },
    { at: 1, living: [one, two] },
    { at: 1, living: [two] },
  ]);
  expect([found.lost, found.escaped, found.mapped, parts]).toEqual([7n, 1, [one, two], [1]]);
});

test("recorded configuration spaces and ports live from the start", async () => {
  const list = new RecordList().add({ kind: RecordKind.read, address: 0xc_0000_0000_c004n, width: 4 });
  const { options } = madeUpHeader();
  const startOf = async (more: object) => {
    const header = madeUpHeader({ options: { ...options, ...more } });
    const { atStart, address } = await collectAccesses(await traceOf(list.records, header));
    expect(address).toEqual([0xc004]);
    return atStart;
  };
  const space = { first: 0xe_0000_0002_0000, last: 0xe_0000_0002_0fff };
  const ports = { first: 0xc000, last: 0xc03f };
  expect(await startOf({})).toEqual([]);
  expect(await startOf({ configuration: ["0000:00:04.0"] })).toEqual([space]);
  expect(await startOf({ configuration: "all", ports: ["0000:00:04.0"] })).toEqual([space, ports]);
  expect(await startOf({ configuration: ["no function"], ports: ["0000:00:05.0"] })).toEqual([]);
});

test("small addresses of the log are ports' numbers", () => {
  expect([0, 0xffff, 0x1_0000].map(addressInTrace)).toEqual([0xc_0000_0000_0000n, 0xc_0000_0000_ffffn, 0x1_0000n]);
});

describe("accesses are fitted to the region", () => {
  const extentsOf = (...widths: number[]) =>
    findExtents(
      truthOf(...widths.map((width): [number, number, number] => [2, bar, width]), [2, bar + 0x100, 1]),
      window(0, widths.length),
    );

  test("wider ones are split, each piece with its own bytes", async () => {
    const traced = await collected(
      { offset: 0, width: 8, value: 0x8877_6655_4433_2211n },
      { offset: 2, width: 2, value: 7n },
    );
    const { accesses, ...counts } = fitAccesses(traced, extentsOf(4), undefined);
    expect(counts).toEqual({ region: [2, 2, 2], split: 1, widened: 1, notLogged: 0 });
    expect(Array.from({ length: accesses.count }, (_, at) => tracedPart(accesses, at))).toMatchObject([
      { address: bar, width_bytes: 4, valueLow: 0x4433_2211, valueHigh: 0, event: 1 },
      { address: bar + 4, width_bytes: 4, valueLow: 0x8877_6655, valueHigh: 0, event: 1 },
      { address: bar + 2, width_bytes: 2, valueLow: 7, event: 2 },
    ]);
  });

  test("those of a width that the region takes stay", async () => {
    const traced = await collected({ offset: 0, width: 4 }, { offset: 0, width: 1 });
    expect(fitAccesses(traced, extentsOf(1, 4), undefined)).toMatchObject({ region: [2, 2], split: 0, widened: 0 });
  });

  test("those at places that the log has nothing of are left out, if that is asked; changes of the mappings move along", async () => {
    const list = new RecordList();
    const add = (kind: number, address: bigint, mapping: number) =>
      list.add({ kind, address, value: [0x1000n, 0n], mapping, width: kind === RecordKind.read ? 4 : 0 });
    add(RecordKind.map, 0x1000_0000n, 1);
    add(RecordKind.read, 0x1000_0000n, 1);
    add(RecordKind.map, BigInt(bar), 2);
    add(RecordKind.read, BigInt(bar) + 0x800n, 2);
    add(RecordKind.unmap, BigInt(bar), 2);
    const traced = await collectAccesses(await traceOf(list.records));
    const truth = truthOf([2, bar, 4]);
    const places = new LoggedPlaces(new TraceState(madeUpHeader()), traced.mapped, truth);
    // another place of the same BAR is logged
    expect([places.has(bar + 0x10), places.has(0x1000_0000), places.has(0x5000_0000)]).toEqual([true, false, false]);
    const left = fitAccesses(traced, findExtents(truth, window(0, 1)), places);
    expect([left.notLogged, left.region, left.accesses.address]).toEqual([1, [-1], [bar + 0x800]]);
    expect(left.accesses.coverage.map(({ at }) => at)).toEqual([0, 0, 1]);
    const all = fitAccesses(traced, findExtents(truth, window(0, 1)), undefined);
    expect([all.notLogged, all.accesses.count]).toEqual([0, 2]);
    expect(all.accesses.coverage.map(({ at }) => at)).toEqual([0, 1, 2]);
  });
});

describe("memory that is a second view of ports", () => {
  const [found] = madeUpHeader().pciFunctions;
  const functionWith = (memory: object = {}, ports: object = {}) => ({
    ...found!,
    bars: [
      { index: 0, start: "0xc000", length_bytes: "0x100", flags: "0x101", ...ports } as const,
      { index: 1, start: "0x20000000", length_bytes: "0x100", flags: "0x200", ...memory } as const,
    ],
  });
  const mapped = [{ first: 0x2000_00f0, last: 0x2000_0fff }];
  const alias = [{ ports: { first: 0xc000, last: 0xc0ff }, memory: 0x2000_0000 }];

  test("is mapped, as long as the ports, and has no line of its own", () => {
    expect(findPortAliases([functionWith()], mapped, truthOf([0, bar, 4]))).toEqual(alias);
  });

  test.each([
    ["the log has its first byte", functionWith(), mapped, truthOf([0, 0x2000_0000, 4])],
    ["the log has its last byte", functionWith(), mapped, truthOf([0, bar, 4], [0, 0x2000_00ff, 1])],
    ["it isn't mapped: behind it", functionWith(), [{ first: 0x2000_0100, last: 0x2000_0fff }], truthOf()],
    ["it isn't mapped: before it", functionWith(), [{ first: 0x1000_0000, last: 0x1fff_ffff }], truthOf()],
    ["it is longer", functionWith({ length_bytes: "0x200" }), mapped, truthOf()],
    ["it is no memory", functionWith({ flags: "0x0" }), mapped, truthOf()],
    ["the others are no ports", functionWith({}, { flags: "0x200", start: "0x30000000" }), mapped, truthOf()],
  ])("not if %s", (_name, one, ranges, truth) => {
    expect(findPortAliases([one], ranges, truth)).toEqual([]);
  });

  test("is found at its very edges", () => {
    for (const range of [
      { first: 0x2000_00ff, last: 0x3000_0000 },
      { first: 0, last: 0x2000_0000 },
    ]) {
      expect(findPortAliases([functionWith()], [range], truthOf([0, 0x1fff_ffff, 1], [0, 0x2000_0100, 1]))).toEqual(
        alias,
      );
    }
  });
});

describe("a fence", () => {
  const id = "01020304";
  const writesOf = (bytes: number[], from = 0) =>
    bytes.map((byte, index) => ({ byte, at: 10 * (from + index), line: 100 + from + index }));
  const [begin, end] = [fenceBytes(1, id), fenceBytes(2, id)];
  const find = (bytes: number[], count?: number) => fenceWindow(writesOf(bytes), id, "truth.log", count);

  test("goes from its beginning's last byte to its end's first", () => {
    expect(find([...begin, ...end])).toEqual({ from: 70, to: 80, fromLine: 107, toLine: 108 });
  });

  test("may have up to 64 foreign bytes in it, in all, even such as begin it", () => {
    const spread = (foreign: number) => [
      ...begin.slice(0, 3),
      ...Array.from({ length: foreign }, () => 0x4d),
      ...begin.slice(3),
    ];
    expect(find([0x4d, ...spread(64), ...end]).from).toBe(10 * 72);
    expect(() => find([...spread(65).map((byte) => (byte === 0x4d ? 0 : byte)), ...end])).toThrow(
      "truth.log has no fence",
    );
    // of several beginnings the last one counts
    expect(find([...begin, ...end.slice(0, 2), ...end]).to).toBe(10 * 10);
  });

  test("without its beginning the log is another recording's; without its end somebody was killed", () => {
    expect(() => find(fenceBytes(1, "01020305"))).toThrow(
      expect.objectContaining({
        message: "truth.log has no fence 01020304 in it: it isn't the log of this recording",
        advice: "give the log that QEMU wrote while this trace was recorded",
      }),
    );
    expect(() => find([...begin, ...end.slice(0, -1)])).toThrow(
      "truth.log has the beginning of fence 01020304, but not its end: the recorder or QEMU was killed",
    );
    expect(find([...begin, ...end.slice(0, -1)], 999)).toEqual({ from: 70, to: 999, fromLine: 107, toLine: Infinity });
    // an end before the beginning is none
    expect(() => find([...end, ...begin])).toThrow("but not its end");
  });
});
