// tier: quick
// Records that become rows of a block's columns, and those that are kept whole: at the limits of times, addresses, widths and values.
import { describe, expect, test } from "vitest";
import { RecordList } from "../../../dev/test-support/made-up-records.js";
import { nodeCodec } from "../node/codec.js";
import { RecordFlag, RecordKind, type RingRecord } from "../record.js";
import { BlockEncoder } from "./block-encoder.js";

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
