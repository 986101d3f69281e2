// tier: quick
// Records that become rows of a block's columns, and those that are kept whole: at the limits of times, addresses, widths and values.
import { describe, expect, test } from "vitest";
import { RecordList } from "../../../dev/test-support/made-up-records.js";
import { nodeCodec } from "../node/codec.js";
import { RecordFlag, RecordKind, type RingRecord } from "../record.js";
import { BlockEncoder } from "./block-encoder.js";
import { unpackColumns } from "./events-payload.js";
import { Column } from "./layout.js";

const access = { kind: RecordKind.read, address: 0xfebc_0000n, width: 4, tsc: 2n ** 60n };

function encoderOf(...records: Partial<RingRecord>[]): BlockEncoder {
  const list = new RecordList();
  for (const record of records) list.add({ ...access, ...record });
  const encoder = new BlockEncoder();
  encoder.addAll(list.records);
  return encoder;
}

const countsOf = ({ rows, others, records, events }: BlockEncoder) => ({ rows, others, records, events });

describe("an access", () => {
  test.each<[string, Partial<RingRecord>, boolean]>([
    ["read", {}, true],
    ["write", { kind: RecordKind.write }, true],
    ["no access", { kind: RecordKind.mark }, false],
    ["of the last address in columns", { address: 2n ** 52n - 1n }, true],
    ["of an address behind it", { address: 2n ** 52n }, false],
    ["of the greatest address", { address: 2n ** 64n - 1n }, false],
    ["without a width", { width: 0 }, false],
    ["of one byte", { width: 1, value: [0xffn, 0n] }, true],
    ["of one byte with more", { width: 1, value: [0x100n, 0n] }, false],
    ["of three bytes", { width: 3, value: [0xff_ffffn, 0n] }, true],
    ["of three bytes with more", { width: 3, value: [0x100_0000n, 0n] }, false],
    ["of four bytes", { value: [0xffff_ffffn, 0n] }, true],
    ["of four bytes with a bit more", { value: [2n ** 32n, 0n] }, false],
    ["of four bytes with bits in the upper half", { value: [0n, 1n] }, false],
    ["of four bytes with bits at the end", { value: [0n, 2n ** 63n] }, false],
    ["of eight bytes", { width: 8, value: [2n ** 64n - 1n, 0n] }, true],
    ["of eight bytes with more", { width: 8, value: [0n, 1n] }, false],
    ["of twelve bytes", { width: 12, value: [2n ** 64n - 1n, 2n ** 32n - 1n] }, true],
    ["of twelve bytes with more", { width: 12, value: [0n, 2n ** 32n] }, false],
    ["of sixteen bytes", { width: 16, value: [2n ** 64n - 1n, 2n ** 64n - 1n] }, true],
    ["of seventeen bytes", { width: 17 }, false],
    ["of the time 2^52 - 1 after the first", { tsc: 2n ** 60n + 2n ** 52n - 1n }, true],
    ["of the time 2^52 after it", { tsc: 2n ** 60n + 2n ** 52n }, false],
    ["of the time 2^52 - 1 before it", { tsc: 2n ** 60n - 2n ** 52n + 1n }, true],
    ["of the time 2^52 before it", { tsc: 2n ** 60n - 2n ** 52n }, false],
    ["of no time", { tsc: 0n }, false],
  ])("%s", (_what, record, isRow) => {
    expect(countsOf(encoderOf({}, record))).toEqual({
      rows: isRow ? 2 : 1,
      others: isRow ? 0 : 1,
      records: 2,
      events: 2,
    });
  });

  test("too far from the first one by small steps, and across the whole range", () => {
    const [early, late] = [2n ** 60n - 2n ** 52n + 1n, 2n ** 60n + 2n ** 52n - 1n];
    expect(countsOf(encoderOf({}, { tsc: late }, { tsc: late + 1n }, { tsc: late }))).toMatchObject({
      rows: 3,
      others: 1,
    });
    expect(countsOf(encoderOf({}, { tsc: early }, { tsc: late }, { tsc: early }))).toMatchObject({
      rows: 4,
      others: 0,
    });
  });
});

test("records that go on with the one before are no event of their own", () => {
  const part = { flags: RecordFlag.more };
  expect(countsOf(encoderOf(part, {}))).toMatchObject({ rows: 2, events: 1 });
  expect(countsOf(encoderOf(part, { kind: RecordKind.write }))).toMatchObject({ rows: 2, events: 2 });
  // one in columns and one that isn't make no event together
  expect(countsOf(encoderOf(part, { address: 2n ** 52n }))).toMatchObject({ rows: 1, others: 1, events: 2 });
  expect([encoderOf(part).unfinished, encoderOf(part, {}).unfinished]).toEqual([true, false]);
});

describe("the least and the greatest time", () => {
  const mark = { kind: RecordKind.mark };
  test.each<[string, Partial<RingRecord>[], bigint, bigint]>([
    ["of no records", [], 0n, 0n],
    ["of rows", [{ tsc: 50n }, { tsc: 70n }, { tsc: 40n }], 40n, 70n],
    [
      "of others before and after",
      [{ tsc: 50n }, { ...mark, tsc: 30n }, { ...mark, tsc: 90n }, { ...mark, tsc: 60n }],
      30n,
      90n,
    ],
    ["of others between", [{ tsc: 50n }, { tsc: 70n }, { ...mark, tsc: 60n }], 50n, 70n],
    [
      "of others alone",
      [
        { ...mark, tsc: 60n },
        { ...mark, tsc: 50n },
        { ...mark, tsc: 70n },
      ],
      50n,
      70n,
    ],
    [
      "of one without time",
      [
        { ...mark, tsc: 60n },
        { ...mark, tsc: 0n },
      ],
      60n,
      60n,
    ],
    ["of rows and one without time", [{ tsc: 50n }, { ...mark, tsc: 0n }], 50n, 50n],
    ["of large numbers", [{ tsc: 2n ** 63n + 5n }, { tsc: 2n ** 63n - 5n }], 2n ** 63n - 5n, 2n ** 63n + 5n],
  ])("%s", async (_what, records, tscMin, tscMax) => {
    expect(await encoderOf(...records).encode(new Uint8Array(), nodeCodec)).toMatchObject({ tscMin, tscMax });
  });
});

test("the sites and callers are those of rows; a block begins anew without any", () => {
  const encoder = encoderOf(
    { site: 1n, caller: 2 },
    { site: 1n },
    { site: 3n, kind: RecordKind.mark },
    { site: 4n, address: 2n ** 52n },
  );
  expect(encoder.sites()).toEqual(new Set([1n, 0xffff_ffff_0000_0002n]));
  encoder.reset();
  expect(countsOf(encoder)).toEqual({ rows: 0, others: 0, records: 0, events: 0 });
  expect([encoder.sites().size, encoder.unfinished]).toEqual([0, false]);
});

describe("the columns of docs/trace-format.md", () => {
  /** Encodes the records; returns a column's bytes by its name. */
  async function columnsOf(...records: Partial<RingRecord>[]): Promise<(name: keyof typeof Column) => number[]> {
    const { payload } = await encoderOf(...records).encode(new Uint8Array(), nodeCodec);
    const columns = await unpackColumns(payload, new DataView(payload.buffer, payload.byteOffset), nodeCodec);
    return (name) => [...columns.get(Column[name])!];
  }

  /** The bytes of a number, least significant first. */
  const bytesOf = (value: bigint, count: number) =>
    Array.from({ length: count }, (_, at) => Number((value >> BigInt(8 * at)) & 0xffn));

  test.each<[string, number, [bigint, number, bigint][]]>([
    [
      "of up to eight bytes: as it is, or as the difference from the last one if that is shorter",
      8,
      [
        [0n, 0, 0n],
        [5n, 1, 5n],
        [4n, 1, 4n],
        [0x1234n, 2, 0x1234n],
        [0x1235n, 33, 1n],
        [0x1233n, 65, 2n],
        [0x1333n, 2, 0x1333n],
        [0x1432n, 33, 0xffn],
        [0x1234_5678n, 4, 0x1234_5678n],
        [0x1235_5678n, 35, 0x1_0000n],
        [0x1235_5778n, 34, 0x100n],
        [0x0035_5778n, 3, 0x35_5778n],
        [0xffff_ffff_ffffn, 6, 0xffff_ffff_ffffn],
        [0x1_0000_0000_0000n, 33, 1n],
        [2n ** 64n - 1n, 8, 2n ** 64n - 1n],
        [2n ** 64n - 1n - 2n ** 47n, 70, 2n ** 47n],
        [2n ** 64n - 2n ** 47n, 33, 1n],
        [2n ** 64n - 2n ** 47n - 2n ** 48n, 8, 2n ** 64n - 2n ** 47n - 2n ** 48n],
        [2n ** 63n, 8, 2n ** 63n],
        [2n ** 63n + 2n ** 32n, 37, 2n ** 32n],
        [2n ** 63n + 1n, 68, 2n ** 32n - 1n],
      ],
    ],
    [
      "of up to sixteen: never as a difference, nor from one of more than eight",
      16,
      [
        [2n ** 64n, 9, 2n ** 64n],
        [2n ** 64n + 1n, 9, 2n ** 64n + 1n],
        [2n ** 60n, 8, 2n ** 60n],
        [2n ** 60n + 1n, 33, 1n],
        [2n ** 96n, 13, 2n ** 96n],
        [2n ** 60n + 2n, 8, 2n ** 60n + 2n],
        [2n ** 128n - 1n, 16, 2n ** 128n - 1n],
        [2n ** 95n, 12, 2n ** 95n],
      ],
    ],
  ])("a word's value %s", async (_what, width, values) => {
    const column = await columnsOf(
      ...values.map(([value]) => ({ width, value: [BigInt.asUintN(64, value), value >> 64n] as [bigint, bigint] })),
    );
    expect(column("wordTag")).toEqual(values.map(([, tag]) => tag));
    expect(column("wordBytes")).toEqual(values.flatMap(([, tag, bytes]) => bytesOf(bytes, tag & 31)));
  });

  test("words and addresses are written once, each address by its distance from the last of its shape", async () => {
    const [read, write] = [RecordKind.read, RecordKind.write];
    const at = (kind: number, address: bigint, value = 0n) => ({
      kind,
      address,
      value: [value, 0n] as [bigint, bigint],
    });
    const column = await columnsOf(
      ...[at(read, 0x1000n), at(read, 0x1010n), at(read, 0x1008n), at(write, 0x1010n), at(read, 0x1000n)],
      ...[at(read, 0x1000n, 1n), at(write, 0x1000n), at(write, 0x1010n), at(read, 0x1000n, 1n), at(read, 0x1010n, 1n)],
    );
    expect(column("word")).toEqual([0, 0, 0, 0, 1, 0, 0, 4, 5, 0]);
    expect(column("wordAddress")).toEqual([0, 0, 0, 0, 1, 0, 2]);
    expect(column("addressShape")).toEqual([0, 1, 1, 0, 2]);
    // 0x1000, 0x10, -8, 8, -0x10
    expect(column("addressDelta")).toEqual([0x80, 0x40, 0x20, 15, 16, 31]);
  });

  test("shapes are those that differ in anything but the task's flags", async () => {
    const one = { site: 0x10n, mapping: 300 };
    const { hardirq, locked } = RecordFlag;
    const column = await columnsOf(
      ...[one, { ...one, flags: hardirq }, { ...one, kind: RecordKind.write, site: 8n, caller: 0x85 }, one],
      ...[
        { ...one, width: 2 },
        { ...one, flags: locked },
        { ...one, mapping: 301 },
        { ...one, caller: 0x85 },
      ],
    );
    expect(column("addressShape")).toEqual([0, 0, 0, 0, 0, 0]);
    expect(column("shape")).toEqual([
      ...[4, 0, 172, 2, 32],
      ...[64 + 32 + 4, 0, 172, 2, 15, 0x85, 1],
      ...[2, 0, 172, 2, 16],
      ...[4, locked, 172, 2, 0],
      ...[4, 0, 173, 2, 0],
      ...[64 + 4, 0, 172, 2, 0, 0x85, 1],
    ]);
  });

  test("runs of tasks", async () => {
    const [one, other] = [{ pid: 1 }, { cpu: 1, pid: 300, flags: RecordFlag.hardirq }];
    const column = await columnsOf(one, one, other, one, one, one, { ...one, cpu: 2 }, { ...other, flags: 0 }, other);
    expect(column("taskRun")).toEqual([0, 2, 0, 1, 1, 3, 0, 1, 0, 1, 2, 1]);
    expect(column("task")).toEqual([...[0, 1, 0], ...[1, 172, 2, 1], ...[2, 1, 0], ...[1, 172, 2, 0]]);
  });

  test("times are differences: their low byte, and the rest", async () => {
    const differences = [0n, 1n, 256n, -1n, 2n ** 30n - 1n, 2n ** 30n, -256n, 2n ** 51n];
    const times = differences.map((_, at) => differences.slice(0, at + 1).reduce((sum, one) => sum + one, 2n ** 60n));
    const column = await columnsOf(...times.map((tsc) => ({ tsc })));
    expect(column("timeLow")).toEqual([0, 1, 0, 255, 255, 0, 0, 0]);
    expect(column("timeHigh")).toEqual([
      ...[0, 0, 2, 1],
      ...[254, 255, 255, 3],
      ...[128, 128, 128, 4],
      ...[1],
      ...[128, 128, 128, 128, 128, 128, 4],
    ]);
  });

  test("other records lie between rows, without their sequence numbers", async () => {
    const mark = { kind: RecordKind.mark, caller: 0x1234_5678, pid: 7 };
    const column = await columnsOf({}, mark, mark, {}, {}, mark);
    expect(column("otherAt")).toEqual([1, 0, 2]);
    const list = new RecordList();
    for (let turn = 0; turn < 3; turn += 1) list.add({ ...access, ...mark });
    const wanted = Uint8Array.from(list.records);
    for (let at = 0; at < wanted.length; at += 64) wanted.fill(0, at, at + 4);
    expect(column("other")).toEqual([...wanted]);
  });
});
