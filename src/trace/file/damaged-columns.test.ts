// tier: quick
// A block whose columns don't fit each other is refused, though each checksum is right, with the column's name.
import { expect, test } from "vitest";
import { type Column as Part, putTogether, takeApart } from "../../../dev/test-support/damaged-traces.js";
import { madeUpHeader, madeUpRecords, madeUpSummary } from "../../../dev/test-support/made-up-records.js";
import { nodeCodec } from "../node/codec.js";
import { Column } from "./layout.js";
import { TraceReader } from "./reader.js";
import { MemorySink } from "./sink.js";
import { MemorySource } from "./source.js";
import { TraceWriter } from "./writer.js";

const sink = new MemorySink();
const writer = await TraceWriter.into(sink, madeUpHeader(), nodeCodec);
await writer.append(madeUpRecords(300, 9));
await writer.close(madeUpSummary);

/** Reads the trace with a change in the block of its events; returns why the block can't be read. */
async function faultOf(change: (column: (name: keyof typeof Column) => Part) => void): Promise<string | undefined> {
  const parts = takeApart(sink.bytes);
  const { content } = parts.blocks.find(({ content: { kind } }) => kind === "events")!;
  if (content.kind !== "events") throw new Error("no block of events");
  change((name) => content.columns.find(({ number }) => number === Column[name])!);
  const reader = await TraceReader.open(new MemorySource(putTogether(parts)), nodeCodec);
  let others = 0;
  for await (const { event } of reader.eventsWithState()) if (event.kind !== "lost") others += 1;
  const [hole, ...more] = reader.holes;
  expect(more).toEqual([]);
  if (hole !== undefined) expect(others).toBe(0);
  return hole?.what;
}

const cut = (raw: Uint8Array) => raw.subarray(0, -1);
const longer = (raw: Uint8Array) => new Uint8Array([...raw, 0]);
const filled = (byte: number) => (raw: Uint8Array) => new Uint8Array(raw.length).fill(byte);

/** For each column: the fault where a byte is missing at its end, where there is one more, and where all bytes are 255, 127, 0. */
const faults: [keyof typeof Column, ...(string | undefined)[]][] = [
  [
    ...(["word", "column word doesn't fit the number of rows", "column word doesn't fit the number of rows"] as const),
    ...["column word names a word before it is defined", "column word names a word before it is defined"],
    "column word doesn't define every word",
  ],
  [
    ...(["wordAddress", "column wordAddress doesn't fit the number of words"] as const),
    ...[
      "column wordAddress doesn't fit the number of words",
      "column wordAddress names an address before it is defined",
    ],
    "column wordAddress names an address before it is defined",
    "column wordAddress defines more addresses than there are",
  ],
  [
    ...(["addressShape", "column addressShape doesn't fit the number of addresses"] as const),
    "column addressShape doesn't fit the number of addresses",
    ...[
      "column addressShape names a shape before it is defined",
      "column addressShape names a shape before it is defined",
    ],
    "column addressShape defines more shapes than there are",
  ],
  [
    ...(["addressDelta", "column addressDelta ends too soon"] as const),
    ...["column addressDelta doesn't fit the number of addresses", "column addressDelta holds too large a number"],
    "column addressDelta leaves the address space",
    "column addressDelta doesn't fit the number of addresses",
  ],
  [
    ...(["shape", "column shape holds a broken number", "column shape has 1 bytes too many"] as const),
    ...["column shape holds too large a number", "an access 31 bytes wide", "an access 0 bytes wide"],
  ],
  [
    ...(["wordTag", "column wordTag doesn't fit the number of words"] as const),
    ...["column wordTag doesn't fit the number of words", "column wordTag holds a wrong tag"],
    ...["column wordTag holds a wrong tag", "column wordBytes doesn't fit the words' tags"],
  ],
  // other bytes there are other values
  [
    ...(["wordBytes", "column wordBytes doesn't fit the words' tags"] as const),
    ...["column wordBytes doesn't fit the words' tags", undefined, undefined, undefined],
  ],
  [
    ...(["taskRun", "column taskRun ends too soon", "column taskRun has 1 bytes too many"] as const),
    ...["column taskRun holds too large a number", "column taskRun holds 127, which should be below 1"],
    "column taskRun doesn't fit the number of rows",
  ],
  [
    ...(["task", "column task ends too soon", "column task has 1 bytes too many"] as const),
    ...["column task holds too large a number", "column task holds 127, which should be below 8", undefined],
  ],
  [
    ...(["timeLow", "column timeLow doesn't fit the number of rows"] as const),
    ...["column timeLow doesn't fit the number of rows", undefined, undefined, undefined],
  ],
  [
    ...(["timeHigh", "column timeHigh doesn't fit the number of rows"] as const),
    ...["column timeHigh doesn't fit the number of rows", "column timeHigh holds a broken number"],
    ...["column timeHigh doesn't fit the number of rows", "column timeHigh doesn't fit the number of rows"],
  ],
  [
    ...(["otherAt", "column otherAt ends too soon", "column otherAt has 1 bytes too many"] as const),
    ...["column otherAt holds too large a number", "column otherAt lies past the last row", undefined],
  ],
  [
    ...(["other", "column other isn't whole records", "column other isn't whole records"] as const),
    ...[undefined, undefined, undefined],
  ],
];

test.each(faults)("%s", async (name, ...wanted) => {
  const found: (string | undefined)[] = [];
  for (const change of [cut, longer, filled(0xff), filled(0x7f), filled(0)]) {
    found.push(
      await faultOf((column) => {
        const part = column(name);
        part.raw = change(part.raw);
      }),
    );
  }
  expect(found).toEqual(wanted);
});

test("no other columns, no other methods, no other lengths", async () => {
  const changed = (change: (part: Part) => void) => faultOf((column) => change(column("shape")));
  expect(
    await changed((part) => {
      part.number = Column.word;
    }),
  ).toBe(`column ${Column.word} twice or unknown`);
  for (const number of [0, 15]) {
    expect(
      await changed((part) => {
        part.number = number;
      }),
    ).toBe(`column ${number} twice or unknown`);
  }
  expect(
    await changed((part) => {
      part.method = 2;
    }),
  ).toBe(`column ${Column.shape} is stored by method 2, which is unknown`);
  expect(
    await changed((part) => {
      part.storedClaim = 1 << 20;
    }),
  ).toBe(`column ${Column.shape} runs past the block's end`);
  expect(
    await changed((part) => {
      part.rawClaim = (4 << 20) + 1;
    }),
  ).toBe(`column ${Column.shape} claims ${(4 << 20) + 1} bytes`);
  for (const more of [1, -1]) {
    const length = await changed((part) => {
      part.method = 0;
      part.rawClaim = part.raw.length + more;
    });
    expect(length).toMatch(new RegExp(`^column ${Column.shape} has \\d+ bytes, not \\d+$`));
  }
  expect(
    await faultOf((column) => {
      const last = column("state");
      last.method = 0;
      last.storedClaim = last.raw.length - 3;
      last.rawClaim = last.raw.length - 3;
    }),
  ).toBe("3 bytes follow the last column");
});
