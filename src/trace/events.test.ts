// tier: quick
// Each kind of record as its event, field by field, at its limits. core/record.h describes the fields.
import { describe, expect, test } from "vitest";
import { RecordList } from "../../dev/test-support/made-up-records.js";
import { codeOf, continues, eventOfRecords, joinValues, type TraceEvent } from "./events.js";
import {
  callerAddress,
  callerInRecord,
  functionInRecord,
  functionOfRecord,
  isPciAddress,
  RecordFlag,
  RecordKind,
  type RingRecord,
} from "./record.js";

const place = { number: 3, sequence: 9 };
const base = { tsc: 5n, cpu: 2, pid: 7, flags: RecordFlag.hardirq };
const wanted = { ...place, ...base };
const site = 0xffff_ffff_c000_0123n;
const eventOf = (record: Partial<RingRecord>): TraceEvent =>
  eventOfRecords(new RecordList().add({ ...base, ...record }).records, place);
const textOf = (record: Partial<RingRecord>, text: string): TraceEvent =>
  eventOfRecords(new RecordList().addText({ ...base, ...record }, text).records, place);

test.each([
  [RecordKind.read, "read"],
  [RecordKind.write, "write"],
])("record %i is a %s", (kind, name) => {
  const record = { kind, address: 0x10n, width: 16, value: [1n, 2n] as [bigint, bigint], site, mapping: 4 };
  expect(eventOf({ ...record, caller: 0xc000_0456 })).toEqual({
    ...{
      ...wanted,
      kind: name,
      address: 0x10n,
      width_bytes: 16,
      value: (2n << 64n) | 1n,
      site,
      mapping: 4,
      target: -1,
    },
    caller: 0xffff_ffff_c000_0456n,
  });
});

test("mappings", () => {
  const record = { address: 0x1000n, value: [0x20n, 0x3000n] as [bigint, bigint], mapping: 4, site };
  const facts = { mapping: 4, address: 0x1000n, length_bytes: 0x20n, decoy: 0x3000n };
  const types = ["uncached", "write-combining", "write-through", "write-back", "encrypted", "other", "ports", "other"];
  for (const [width, memoryType] of types.entries()) {
    expect(eventOf({ ...record, kind: RecordKind.map, width })).toEqual({
      ...wanted,
      ...facts,
      kind: "map",
      memoryType,
      site,
    });
  }
  expect(eventOf({ ...record, kind: RecordKind.unmap })).toEqual({ ...wanted, ...facts, kind: "unmap" });
});

test("losses, escapes, unrecorded mappings", () => {
  expect(eventOf({ kind: RecordKind.lost, value: [8n, 0n] })).toEqual({ ...wanted, kind: "lost", count: 8n });
  const bytes = (count: number) => Uint8Array.from({ length: count }, (_, at) => at + 1);
  const value: [bigint, bigint] = [0x0807_0605_0403_0201n, 0x100f_0e0d_0c0b_0a09n];
  for (const [width, count] of [
    [0, 0],
    [3, 3],
    [15, 15],
    [16, 15],
    [255, 15],
  ] as const) {
    expect(eventOf({ kind: RecordKind.escape, address: 1n, width, value, site, mapping: 4 })).toEqual({
      ...{ ...wanted, kind: "escape", address: 1n, site, caller: 0n, mapping: 4, instruction: bytes(count) },
    });
  }
  for (const [width, way] of [
    [0, "several"],
    [3, "fixmap"],
    [7, "vmf_insert_pfn_pmd"],
    [8, "several"],
  ] as const) {
    expect(eventOf({ kind: RecordKind.unrecorded, address: 1n, value: [2n, 3n], width, site })).toEqual({
      ...{ ...wanted, kind: "unrecorded", address: 1n, length_bytes: 2n, calls: 3n, way, site },
    });
  }
});

test("texts of any length, in UTF-8", () => {
  for (const text of ["", "x".repeat(24), "x".repeat(25), "é".repeat(40), "\ufeffx"]) {
    expect(textOf({ kind: RecordKind.mark }, text)).toEqual({ ...wanted, kind: "mark", text });
    expect(textOf({ kind: RecordKind.symbol, site }, text)).toEqual({ ...wanted, kind: "symbol", site, text });
  }
  for (const gone of [false, true]) {
    const flags = base.flags | (gone ? RecordFlag.gone : 0);
    expect(textOf({ kind: RecordKind.module, site, mapping: 4096, flags }, "e1000")).toEqual({
      ...{ ...wanted, flags, kind: "module", name: "e1000", textAddress: site, text_bytes: 4096, gone },
    });
  }
});

test("a mark that is no UTF-8 keeps its bytes", () => {
  const record = { kind: RecordKind.mark, address: 0xff41n, width: 2 };
  expect(eventOf(record)).toEqual({ ...wanted, kind: "mark", text: "A\ufffd", raw: Uint8Array.of(0x41, 0xff) });
});

describe("a PCI function's", () => {
  const nic = functionInRecord({ device: "0000:00:04.0", value: 0n }).mapping;

  test("interrupts", () => {
    const record = { mapping: nic, address: 24n, site };
    const facts = { kind: "interrupt", device: "0000:00:04.0", irq: 24, vector: 35, site };
    for (const [kind, phase, bits] of [
      [RecordKind.irqEntry, "entry", 0n],
      [RecordKind.irqExit, "exit", 1n],
      [RecordKind.irqExit, "exit", 2n],
      [RecordKind.irqExit, "exit", 3n],
    ] as const) {
      expect(eventOf({ ...record, kind, value: [35n, bits] })).toEqual({
        ...{ ...wanted, ...facts, phase, handled: (bits & 1n) === 1n, wakesThread: bits >= 2n },
      });
    }
  });

  test("DMA buffers", () => {
    const record = { mapping: nic, address: 0x8000n, value: [0x9000n, 0x20n] as [bigint, bigint], site, caller: 1 };
    const facts = { device: "0000:00:04.0", bus: 0x8000n, length_bytes: 0x20n, site, caller: 0xffff_ffff_0000_0001n };
    // the direction's two bits, the way above them
    for (const [width, way, direction] of [
      [0, "coherent", "both"],
      [5, "pages", "to-device"],
      [0x16, "resource", "from-device"],
      [0x0f, "streaming", "none"],
      [0x18, "streaming", "both"],
      [0xff, "streaming", "none"],
    ] as const) {
      expect(eventOf({ ...record, kind: RecordKind.dmaMap, width })).toEqual({
        ...{ ...wanted, ...facts, way, direction, kind: "dma-map", buffer: 0, physical: 0x9000n },
      });
      expect(eventOf({ ...record, kind: RecordKind.dmaUnmap, width })).toEqual({
        ...{ ...wanted, ...facts, way, direction, kind: "dma-unmap", buffers: [] },
      });
    }
  });

  test.each([
    ["0000:00:04.0", 0x20],
    ["0001:c2:1f.7", 0x1_c2ff],
    ["ffff:ff:1f.7", 0xffff_ffff],
    ["10000:00:00.0", 0],
    ["ffffffff:00:00.1", 0xffff_0001],
  ])("address, %s, has two places in a record", (device, mapping) => {
    const value = 0xffff_ffff_ffffn;
    const record = functionInRecord({ device, value });
    expect(record.mapping).toBe(mapping);
    expect(functionOfRecord({ mapping: record.mapping, value: [0n, record.value] })).toEqual({ device, value });
    expect(isPciAddress(device)).toBe(true);
    // more than 48 bits have no room
    expect(functionInRecord({ device, value: value + 1n }).value & value).toBe(0n);
  });

  test.each([
    "",
    "00:04.0",
    "000:00:04.0",
    "123456789:00:04.0",
    "0000:00:20.0",
    "0000:00:04.8",
    " 0000:00:04.0",
    "0000:00:04.0 ",
    "0000:0G:04.0",
  ])('address isn\'t "%s"', (device) => {
    expect(isPciAddress(device)).toBe(false);
    expect(() => functionInRecord({ device, value: 0n })).toThrow(new RangeError(`no PCI function: ${device}`));
  });
});

test("a record of another kind is kept whole", () => {
  const list = new RecordList().add({ ...base, kind: 99, address: 1n });
  expect(eventOfRecords(list.records, place)).toEqual({
    ...wanted,
    kind: "unknown",
    recordKind: 99,
    record: list.records,
  });
  for (const length of [0, 63, 65]) {
    expect(() => eventOfRecords(new Uint8Array(length), place)).toThrow("an event is whole records");
  }
});

test("parts of one access follow each other", () => {
  const { more, locked } = RecordFlag;
  expect([
    continues(1, more, 1),
    continues(1, more | locked, 1),
    continues(1, locked, 1),
    continues(1, more, 2),
  ]).toEqual([...[true, true, false, false]]);
  const list = new RecordList();
  list.add({ ...base, kind: RecordKind.write, address: 0x10n, width: 16, value: [1n, 2n], flags: more | locked });
  list.add({ ...base, kind: RecordKind.write, address: 0x20n, width: 4, value: [3n, 0n], flags: locked });
  expect(eventOfRecords(list.records, place)).toMatchObject({
    ...{ address: 0x10n, width_bytes: 20, flags: locked, value: (3n << 128n) | (2n << 64n) | 1n },
  });
});

test.each([1, 8, 9, 12])("%i parts make one value", (count) => {
  const parts = Array.from({ length: count }, (_, at) => ({ width_bytes: 2, value: BigInt(0x100 * at + at + 1) }));
  let value = 0n;
  for (const [at, part] of parts.entries()) value |= part.value << BigInt(16 * at);
  expect(joinValues(parts)).toEqual({ width_bytes: 2 * count, value });
  // a record may have more bits than its width: they lie over the next part's
  const wide = parts.map((part) => ({ ...part, width_bytes: 1 }));
  value = 0n;
  for (const [at, part] of parts.entries()) value |= part.value << BigInt(8 * at);
  expect(joinValues(wide)).toEqual({ width_bytes: count, value });
});

test("a caller is kernel text: its upper half is all ones", () => {
  expect([callerAddress(0), callerAddress(1), callerAddress(0xffff_ffff)]).toEqual([
    ...[0n, 0xffff_ffff_0000_0001n, 0xffff_ffff_ffff_ffffn],
  ]);
  expect([callerInRecord(0n), callerInRecord(0xffff_ffff_0000_0001n)]).toEqual([0, 1]);
  for (const address of [1n, 0xffff_fffe_ffff_ffffn, 0x7fff_ffff_0000_0001n]) {
    expect(() => callerInRecord(address)).toThrow(new RangeError(`no kernel text: ${address}`));
  }
});

test("the same code is a site with its caller", () => {
  const access = (from: bigint, caller: bigint) => codeOf({ site: from, caller } as never);
  expect(new Set([access(1n, 0n), access(2n, 0n), access(1n, 2n), access(2n, 1n)]).size).toBe(4);
  expect(access(1n, 2n)).toBe(access(1n, 2n));
});
