// tier: quick
// A run's elements come out as the records that they would have been one by one, however the places are cut into batches.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { UserError } from "../../base/errors.js";
import { type RingRecord, readRecord, writeRecord } from "../../trace/record.js";
import { RunExpander } from "./run-expander.js";

const place_bytes = 64;
const part_bytes = 56;
const run = 1 << 11;
const mask = (bytes: number) => (1n << BigInt(8 * bytes)) - 1n;

/** A place of the ring with a record. */
function place(record: Partial<RingRecord>): Buffer {
  const bytes = Buffer.alloc(place_bytes);
  writeRecord(new DataView(bytes.buffer, bytes.byteOffset, place_bytes), 0, record);
  return bytes;
}

interface Run {
  width: number;
  values: bigint[];
  down: boolean;
  /** Places claimed and not used. */
  unused: number;
  address: bigint;
}

/** The places of a run, without their numbers, as core/record.h describes them. */
function runPlaces(head: Partial<RingRecord>, { width, values, down, unused, address }: Run): Buffer[] {
  const data = Buffer.concat(
    values.map((value) => {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64LE(value);
      return bytes.subarray(0, width);
    }),
  );
  const parts = Math.max(1, Math.ceil(data.length / part_bytes)) + unused;
  const stride = BigInt.asUintN(32, BigInt(down ? -width : width));
  const value: [bigint, bigint] = [BigInt(values.length), (stride << 32n) | BigInt(parts)];
  const places = [place({ ...head, width, address, value, flags: (head.flags ?? 0) | run })];
  for (let part = 0; part < parts; part += 1) {
    // behind the values there is a rest of earlier records
    const bytes = Buffer.alloc(place_bytes, 0xee);
    data.subarray(part * part_bytes, (part + 1) * part_bytes).copy(bytes, 8);
    places.push(bytes);
  }
  return places;
}

function numbered(places: Buffer[], first: number, gapBefore: Map<number, number>): Buffer {
  let number = first;
  for (const [index, bytes] of places.entries()) {
    number += gapBefore.get(index) ?? 0;
    bytes.writeUInt32LE(number++ % 2 ** 32, 0);
  }
  return Buffer.concat(places);
}

function expanded(batches: Uint8Array[], atOnce = 5): RingRecord[] {
  const expander = new RunExpander(atOnce);
  const records: RingRecord[] = [];
  for (const batch of batches) {
    for (const given of expander.expand(Uint8Array.from(batch))) {
      const view = new DataView(given.buffer, given.byteOffset, given.byteLength);
      for (let at = 0; at < given.length; at += place_bytes) records.push(readRecord(view, at));
    }
  }
  return records;
}

const someRun = fc
  .record({
    width: fc.constantFrom(1, 2, 4, 8),
    values: fc.array(fc.bigInt(0n, mask(8)), { maxLength: 70 }),
    down: fc.boolean(),
    unused: fc.nat(2),
    address: fc.oneof(fc.constant(0xffff_fff0n), fc.bigInt(1n << 20n, 1n << 51n)),
  })
  .map((made): Run => ({ ...made, values: made.values.map((value) => value & mask(made.width)) }));
const head = {
  tsc: 77n,
  site: 0xffff_ffff_c000_1234n,
  caller: 0x8123_4567,
  pid: 12,
  mapping: 3,
  cpu: 1,
  kind: 2,
  flags: 1 << 5,
};

describe("RunExpander", () => {
  test("gives each element's record, in batches cut anywhere", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(someRun, fc.constant(undefined)), { minLength: 1, maxLength: 8 }),
        fc.array(fc.nat(200), { maxLength: 4 }),
        fc.oneof(fc.integer({ min: 1, max: 2 ** 32 - 1 }), fc.integer({ min: 2 ** 32 - 300, max: 2 ** 32 - 1 })),
        (content, cuts, first) => {
          const places: Buffer[] = [];
          const wanted: RingRecord[] = [];
          let sequence = first;
          for (const made of content) {
            if (made === undefined) {
              const plain = { ...head, kind: 1, width: 4, address: 0xfeb0_0000n, value: [5n, 0n] as [bigint, bigint] };
              places.push(place(plain));
              wanted.push({ ...plain, sequence: sequence++ % 2 ** 32 });
              continue;
            }
            places.push(...runPlaces(head, made));
            for (const [index, value] of made.values.entries()) {
              const address = made.address + BigInt((made.down ? -1 : 1) * index * made.width);
              wanted.push({ ...head, width: made.width, value: [value, 0n], address, sequence: sequence++ % 2 ** 32 });
            }
          }
          const all = numbered(places, first, new Map());
          const at = [0, ...cuts.map((cut) => Math.min(cut, places.length)).sort((a, b) => a - b), places.length];
          const batches = at.slice(1).map((end, index) => all.subarray(at[index]! * place_bytes, end * place_bytes));
          expect(expanded(batches)).toEqual(wanted);
        },
      ),
    );
  });

  test("a gap in the ring's numbers stays a gap of as many", () => {
    const one: Run = { width: 4, values: [1n, 2n, 3n, 4n], down: false, unused: 1, address: 0x1000n };
    const plain = { ...head, width: 4 };
    const places = [place(plain), ...runPlaces(head, one), place(plain), place(plain)];
    const all = numbered(
      places,
      10,
      new Map([
        [1, 2],
        [places.length - 1, 7],
      ]),
    );
    expect(expanded([all]).map(({ sequence }) => sequence)).toEqual([10, 13, 14, 15, 16, 17, 25]);
  });

  test.each([
    ["its elements don't fit into its places", { width: 8, values: [1n, 2n], down: false, unused: -1, address: 0n }],
    ["its width is none", { width: 3, values: [1n], down: false, unused: 0, address: 0n }],
  ])("a run is refused if %s", (_, wrong) => {
    expect(() => expanded([numbered(runPlaces(head, wrong), 1, new Map())])).toThrow(UserError);
  });

  test("a run that lacks a place is refused", () => {
    const long: Run = { width: 8, values: Array.from({ length: 20 }, () => 1n), down: false, unused: 0, address: 0n };
    expect(() => expanded([numbered(runPlaces(head, long), 1, new Map([[2, 1]]))])).toThrow(/place 4 after place 2/);
  });
});
