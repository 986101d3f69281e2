// tier: quick
// The reader on damaged and hostile traces with right checksums, with Node's codec and with the browser's: it reads a trace
// to its end but for the blocks that it names, or throws a FormatError that names the byte; never anything else, and memory and time stay in proportion to the
// file's size. round-trip.test.ts has the cuts and changed bytes that checksums detect.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  type Block,
  type Content,
  indexAnew,
  putTogether,
  type TraceParts,
  takeApart,
} from "../../../dev/test-support/damaged-traces.js";
import { madeUpHeader, madeUpRecords, madeUpSummary } from "../../../dev/test-support/made-up-records.js";
import { FormatError } from "../../base/errors.js";
import { nodeCodec } from "../node/codec.js";
import { convert, convertPartitioned } from "../node/convert.js";
import { createTrace } from "../node/create-trace.js";
import { record_bytes } from "../record.js";
import { streamCodec } from "./compression.js";
import { crc32 } from "./crc32.js";
import { type Hole, TraceReader } from "./reader.js";
import { MemorySource } from "./source.js";

const directory = mkdtempSync(join(tmpdir(), "mmiostrider-reader-fuzz-"));
afterAll(() => rmSync(directory, { recursive: true }));

let sound: Uint8Array;

beforeAll(async () => {
  const path = join(directory, "sound.mmt");
  const records = madeUpRecords(300, 31);
  const writer = await createTrace(path, madeUpHeader({ pciFunctions: [] }));
  await writer.append(records.subarray(0, 100 * record_bytes));
  await writer.note({ pciFunctions: madeUpHeader().pciFunctions, modules: madeUpHeader().modules });
  await writer.append(records.subarray(100 * record_bytes));
  await writer.close(madeUpSummary);
  // No Buffer: its slice() is no copy.
  sound = Uint8Array.from(readFileSync(path));
  rmSync(path);
});

const plain = (_: string, value: unknown) => (typeof value === "bigint" ? `${value}n` : value);

/** Returns all that a reader gives of a trace, as text, or null for a FormatError; throws any other error on. */
async function outcome(bytes: Uint8Array, codec: typeof nodeCodec): Promise<string | null> {
  try {
    const reader = await TraceReader.open(new MemorySource(bytes), codec);
    const events = [];
    for await (const { event, state } of reader.eventsWithState()) {
      events.push(event);
      if ("address" in event) state.placeOf(event.address);
    }
    expect(reader.complete).toBe(reader.summary !== null && reader.damage === null && reader.holes.length === 0);
    const { header, updates, summary, damage } = reader;
    // the words are zlib's own
    const holes = reader.holes.map(({ offset, records }) => ({ offset, records }));
    return JSON.stringify([header, updates, summary, damage?.offset, events, holes], plain);
  } catch (error) {
    if (!(error instanceof FormatError) || error.offset === undefined) throw error;
    return null;
  }
}

/** The holes of a result of `outcome`. */
const holesOf = (text: string | null) => (JSON.parse(text ?? "[]")[5] ?? []) as Hole[];

/** Reads with both codecs, which must agree; returns the result. */
async function read(bytes: Uint8Array): Promise<string | null> {
  const native = await outcome(bytes, nodeCodec);
  expect(await outcome(bytes, streamCodec)).toBe(native);
  return native;
}

const hostile32 = fc.constantFrom(0, 1, 2, 63, 64, 255, 65_535, 65_536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff);
const hostile64 = fc.constantFrom(0n, 1n, 0x7fn, 1n << 32n, (1n << 53n) - 1n, 1n << 53n, 1n << 63n, (1n << 64n) - 1n);

/** Changes bytes: sets, removes or inserts some, or cuts off the end. */
const spoil: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc.oneof(
  fc.tuple(fc.nat(), fc.uint8Array({ minLength: 1, maxLength: 12 })).map(([at, put]) => (bytes: Uint8Array) => {
    const changed = bytes.slice();
    changed.set(put.subarray(0, bytes.length - (at % (bytes.length + 1))), at % (bytes.length + 1));
    return changed;
  }),
  fc.tuple(fc.nat(), fc.nat(7)).map(([at, bit]) => (bytes: Uint8Array) => {
    const changed = bytes.slice();
    if (changed.length > 0) changed[at % changed.length]! ^= 1 << bit;
    return changed;
  }),
  fc.nat().map((at) => (bytes: Uint8Array) => bytes.slice(0, at % (bytes.length + 1))),
  fc.tuple(fc.nat(), fc.uint8Array({ maxLength: 12 })).map(([at, put]) => (bytes: Uint8Array) => {
    const place = at % (bytes.length + 1);
    return new Uint8Array(Buffer.concat([bytes.subarray(0, place), put, bytes.subarray(place)]));
  }),
  fc.constant(() => new Uint8Array()),
  fc.nat(255).map((byte) => (bytes: Uint8Array) => bytes.slice().fill(byte)),
);

/** Replaces some value by one of any JSON kind, or removes a value. */
const spoilJson: fc.Arbitrary<(bytes: Uint8Array) => Uint8Array> = fc
  .tuple(
    fc.nat(),
    fc.oneof(fc.jsonValue({ maxDepth: 1 }), fc.constantFrom(-1, 1e308, 5e-324, "0xfffffffffffffffff", "")),
  )
  .map(([which, value]) => (bytes: Uint8Array) => {
    const whole = JSON.parse(new TextDecoder().decode(bytes)) as unknown;
    const places: [Record<string, unknown>, string][] = [];
    const walk = (node: unknown): void => {
      if (typeof node !== "object" || node === null) return;
      for (const key of Object.keys(node)) {
        places.push([node as Record<string, unknown>, key]);
        walk((node as Record<string, unknown>)[key]);
      }
    };
    walk(whole);
    const place = places[which % places.length];
    if (place !== undefined) place[0][place[1]] = value;
    return new TextEncoder().encode(JSON.stringify(whole));
  });

const isJson = (bytes: Uint8Array) => bytes[0] === 0x7b;

/** One change to one block. */
const damage: fc.Arbitrary<(block: Block) => void> = fc.oneof(
  fc.tuple(fc.constantFrom(4, 32, 36), hostile32).map(([at, value]) => (block: Block) => {
    new DataView(block.header.buffer).setUint32(at, value, true);
  }),
  fc.tuple(fc.constantFrom(16, 24, 40, 48), hostile64).map(([at, value]) => (block: Block) => {
    new DataView(block.header.buffer).setBigUint64(at, value, true);
  }),
  hostile32.map((claim) => (block: Block) => {
    block.payloadClaim = claim;
  }),
  fc.uint8Array({ maxLength: 300 }).map((bytes) => (block: Block) => {
    block.content = { kind: "other", bytes };
  }),
  hostile32.map((claim) => ({ content }: Block) => {
    if (content.kind === "packed") content.rawClaim = claim;
  }),
  fc.oneof(spoil, spoilJson).map((change) => ({ content }: Block) => {
    if (content.kind === "packed" && (change.length === 0 || isJson(content.raw))) content.raw = change(content.raw);
  }),
  fc.tuple(fc.nat(6), hostile32).map(([which, value]) => ({ content }: Block) => {
    if (content.kind === "events") new DataView(content.prelude.buffer).setUint32(4 + 4 * which, value, true);
  }),
  // Most of what can be wrong is in the columns.
  ...[0, 1, 2].map(() =>
    fc.tuple(fc.nat(), spoil).map(([which, change]) => ({ content }: Block) => {
      if (content.kind !== "events") return;
      const column = content.columns[which % content.columns.length]!;
      column.raw = change(column.raw);
    }),
  ),
  spoilJson.map((change) => ({ content }: Block) => {
    const state = content.kind === "events" ? content.columns.find(({ raw }) => isJson(raw)) : undefined;
    if (state !== undefined) state.raw = change(state.raw);
  }),
  fc
    .tuple(fc.nat(), fc.constantFrom("number", "method", "storedClaim", "rawClaim"), hostile32)
    .map(([which, field, value]) => ({ content }: Block) => {
      if (content.kind !== "events") return;
      content.columns[which % content.columns.length]![field as "number"] =
        field === "number" || field === "method" ? value & 0xff : value;
    }),
);

/** The sound trace with one or two changed blocks; the index is unchanged, made anew, or left out with the trailer. */
const changesOf = fc.tuple(
  fc.array(fc.tuple(fc.nat(), damage), { minLength: 1, maxLength: 2 }),
  fc.constantFrom("old", "anew", "none"),
);

function damagedTrace([changes, index]: [[number, (block: Block) => void][], string]): Uint8Array {
  const parts = takeApart(sound);
  for (const [which, change] of changes) {
    const block = parts.blocks[which % parts.blocks.length]!;
    try {
      change(block);
    } catch (error) {
      // JSON that an earlier change has broken can't be changed once more.
      if (!(error instanceof SyntaxError)) throw error;
    }
  }
  if (index === "anew") indexAnew(parts);
  else if (index === "none")
    return putTogether({ ...parts, blocks: parts.blocks.slice(0, -1), trailer: new Uint8Array() });
  return putTogether(parts);
}

describe("a trace with wrong content and right checksums", () => {
  test("is taken apart and put together without a change", async () => {
    const parts = takeApart(sound);
    expect(parts.blocks.map(({ content }) => content.kind)).toEqual(
      expect.arrayContaining<Content["kind"]>(["packed", "events"]),
    );
    expect(parts.blocks.length).toBe(6);
    const again = await read(putTogether(parts));
    expect(again).not.toBeNull();
    expect(again).toBe(await read(sound));
    indexAnew(parts);
    expect(await read(putTogether(parts))).toBe(again);
  });

  test("reads to its end or is refused, the same in Node and in a browser", async () => {
    let refused = 0;
    let withHoles = 0;
    let read_ = 0;
    const property = fc.asyncProperty(changesOf, async (changes) => {
      const result = await read(damagedTrace(changes));
      if (result === null) refused += 1;
      else if (holesOf(result).length > 0) withHoles += 1;
      else read_ += 1;
    });
    await fc.assert(property, { numRuns: 400 });
    expect(refused).toBeGreaterThan(5);
    expect(withHoles).toBeGreaterThan(50);
    expect(read_).toBeGreaterThan(50);
  }, 120_000);

  test("becomes every other format, or leaves nothing behind", async () => {
    const folder = mkdtempSync(join(directory, "convert-"));
    const from = join(folder, "in.mmt");
    const outputs = { "out.log": "mmiotrace", "out.jsonl": "jsonl", "out.csv": "csv" } as const;
    const more = { "out.parquet": "parquet", "out.json": "perfetto", data: "partitions" } as const;
    const names = [...Object.entries(outputs), ...Object.entries(more)];
    const property = fc.asyncProperty(changesOf, fc.constantFrom(...names), async (changes, [name, to]) => {
      writeFileSync(from, damagedTrace(changes));
      let failed = false;
      try {
        const out = join(folder, name);
        if (to === "partitions") {
          await convertPartitioned(from, out, ["device", "date"], { to: "parquet", producer: "test" });
        } else await convert(from, out, { to, producer: "test" });
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        failed = true;
      }
      const left = readdirSync(folder).sort();
      rmSync(join(folder, name), { recursive: true, force: true });
      expect(left).toEqual(failed ? ["in.mmt"] : ["in.mmt", name].sort());
    });
    await fc.assert(property, { numRuns: 200 });
  }, 120_000);
});

test("anything behind the first bytes of a trace", async () => {
  const property = fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.nat(80), async (bytes, kept) => {
    await read(new Uint8Array(Buffer.concat([sound.subarray(0, kept), bytes])));
  });
  await fc.assert(property, { numRuns: 300 });
});

describe("a small file that claims to be large", () => {
  const withEvents = (change: (block: Block & { content: { kind: "events" } }) => void): TraceParts => {
    const parts = takeApart(sound);
    change(parts.blocks.find(({ content }) => content.kind === "events") as Block & { content: { kind: "events" } });
    return parts;
  };

  test("an index that names one block a thousand times is not believed", async () => {
    const parts = takeApart(sound);
    const index = parts.blocks.at(-1)!.content as Content & { kind: "packed" };
    const entry = 72;
    const events = index.raw.subarray(entry, 2 * entry);
    index.raw = new Uint8Array(Buffer.concat([index.raw.subarray(0, entry), ...Array<Uint8Array>(1_000).fill(events)]));
    expect(await read(putTogether(parts))).toBe(await read(sound));
  });

  test("an index that turns out to be wrong half way leaves no block twice", async () => {
    const parts = takeApart(sound);
    const update = parts.blocks.find(({ header }) => header[4] === 3)!;
    update.content = { kind: "packed", raw: new TextEncoder().encode("[]") };
    indexAnew(parts);
    const reader = await TraceReader.open(new MemorySource(putTogether(parts)), nodeCodec);
    expect(reader.holes).toMatchObject([{ records: 0, what: expect.stringContaining("JSON") }]);
    expect(reader.complete).toBe(false);
    expect(reader.blocks.map(({ firstRecord }) => firstRecord)).toEqual([0, 100]);
  });

  test("a column that inflates to far more than it says is refused", async () => {
    const bytes = putTogether(
      withEvents(({ content }) => {
        const { columns } = content as Content & { kind: "events" };
        const column = columns.find(({ method }) => method === 1)!;
        column.rawClaim = column.raw.length;
        column.raw = new Uint8Array(64 << 20);
      }),
    );
    expect(bytes.length).toBeLessThan(1 << 20);
    expect(holesOf(await read(bytes))).toMatchObject([{ records: 100 }]);
  });

  test("accesses of thousands of parts cost no more than their size", async () => {
    const path = join(directory, "parts.mmt");
    const count = 60_000;
    const records = new Uint8Array(count * record_bytes);
    const view = new DataView(records.buffer);
    for (let at = 0; at < count; at += 1) {
      view.setBigUint64(at * record_bytes, BigInt(at + 1), true);
      view.setBigUint64(at * record_bytes + 24, BigInt(at), true);
      view.setUint8(at * record_bytes + 58, 1);
      view.setUint8(at * record_bytes + 59, 16);
      view.setUint32(at * record_bytes + 60, 8, true);
    }
    const writer = await createTrace(path, madeUpHeader());
    await writer.append(records);
    await writer.close(madeUpSummary);
    const reader = await TraceReader.open(new MemorySource(readFileSync(path)), nodeCodec);
    const events = [];
    for await (const { event } of reader.eventsWithState()) events.push(event);
    expect(events).toHaveLength(1);
    const [event] = events;
    if (event?.kind !== "read") throw new Error("the one event is a read");
    expect(event.width_bytes).toBe(16 * count);
    expect(BigInt.asUintN(64, event.value >> BigInt(128 * 54_321))).toBe(54_321n);
    rmSync(path);
  });
});

test("every cut and every flipped bit of the head and the header block is told with its place", async () => {
  const parts = takeApart(sound);
  const headerEnd = 16 + 64 + new DataView(parts.blocks[0]!.header.buffer).getUint32(8, true);
  for (let at = 0; at < headerEnd; at += 1) {
    expect(await outcome(sound.subarray(0, at), nodeCodec)).toBeNull();
    const flipped = sound.slice();
    flipped[at]! ^= 1 << (at % 8);
    const changed = await outcome(flipped, nodeCodec);
    // Bytes 12 to 15 of the file mean nothing yet.
    if (at < 12 || at >= 16) expect(changed).toBeNull();
  }
  expect(crc32(sound.subarray(0, 16))).toBeGreaterThan(0);
});
