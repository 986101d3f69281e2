// tier: quick
// Symbols of rewritten drivers become the originals' on their way into the trace, however the batches cut them.
import { describe, expect, test } from "vitest";
import type { MovedModule } from "../../machine/rewritten-module.js";
import { RecordFlag, RecordKind, record_bytes, recordOffset, recordTextBytes, text_bytes } from "../../trace/record.js";
import { siteNamesOf } from "./site-names.js";

/** Three bytes before offset 0x10, eleven more before 0x20. */
const twice = { name: "e1000_intr", new_bytes: 0x40, old_bytes: 0x32, steps: [0x10, 3, 0x20, 14] };
const moved: MovedModule[] = [
  {
    module: "e1000",
    functions: [
      twice,
      { name: "same", new_bytes: 0x30, old_bytes: 0x20, steps: [0, 0x10] },
      { name: "same", new_bytes: 0x30, old_bytes: 0x20, steps: [8, 0x10] },
      { name: "other", new_bytes: 0x30, old_bytes: 0x20, steps: [0, 0x10] },
      { name: "other", new_bytes: 0x40, old_bytes: 0x20, steps: [8, 0x20] },
      { name: "alike", new_bytes: 0x30, old_bytes: 0x20, steps: [8, 0x10] },
      { name: "alike", new_bytes: 0x30, old_bytes: 0x20, steps: [8, 0x10] },
    ],
  },
];

/** Makes a symbol's records. */
function symbol(text: string): Uint8Array {
  const count = Math.max(1, Math.ceil(text.length / text_bytes));
  const records = new Uint8Array(count * record_bytes);
  const view = new DataView(records.buffer);
  for (let number = 0; number < count; number += 1) {
    const at = number * record_bytes;
    const part = Buffer.from(text.slice(number * text_bytes, (number + 1) * text_bytes), "latin1");
    records[at + recordOffset.kind] = RecordKind.symbol;
    records[at + recordOffset.width] = part.length;
    view.setUint32(at + recordOffset.flags, number + 1 < count ? RecordFlag.more : 0, true);
    records.set(part, at + recordOffset.address);
  }
  return records;
}

function read(): Uint8Array {
  const record = new Uint8Array(record_bytes).fill(0x5a);
  record[recordOffset.kind] = RecordKind.read;
  return record;
}

/** Returns the texts of the symbols, and a dash for each other record. */
function shown(records: Uint8Array): string[] {
  const found: string[] = [];
  let text = "";
  for (let at = 0; at < records.length; at += record_bytes) {
    if (records[at + recordOffset.kind] !== RecordKind.symbol) {
      found.push(Buffer.from(records.subarray(at, at + record_bytes)).equals(Buffer.from(read())) ? "-" : "changed");
      continue;
    }
    text += Buffer.from(recordTextBytes(records, at)).toString("latin1");
    const flags = new DataView(records.buffer, records.byteOffset + at).getUint32(recordOffset.flags, true);
    if ((flags & RecordFlag.more) !== 0) continue;
    found.push(text);
    text = "";
  }
  return found;
}

describe("a symbol", () => {
  test.each([
    ["e1000_intr+0xf/0x40 [e1000]", "e1000_intr+0xf/0x32 [e1000]"],
    ["e1000_intr+0x10/0x40 [e1000]", "e1000_intr+0xd/0x32 [e1000]"],
    ["e1000_intr+0x1f/0x40 [e1000]", "e1000_intr+0x1c/0x32 [e1000]"],
    ["e1000_intr+0x20/0x40 [e1000]", "e1000_intr+0x12/0x32 [e1000]"],
    ["alike+0x18/0x30 [e1000]", "alike+0x8/0x20 [e1000]"],
    ["e1000_intr+0x10/0x50 [e1000]", "e1000_intr+0xd/0x32 [e1000]"],
    ["other+0x28/0x40 [e1000]", "other+0x8/0x20 [e1000]"],
    ["other+0x28/0x50 [e1000]", "other+0x28/0x50 [e1000]"],
    ["e1000_intr+0x10/0x40 [e1000e]", "e1000_intr+0x10/0x40 [e1000e]"],
    ["e1000_intr+0x10/0x40", "e1000_intr+0x10/0x40"],
    ["same+0x10/0x30 [e1000]", "same+0x10/0x30 [e1000]"],
    ["0xffffffffc0123456", "0xffffffffc0123456"],
    ["", ""],
  ])("%s is %s in the original", (old, name) => {
    const names = siteNamesOf(moved)!;
    expect(shown(names.take(symbol(old)))).toEqual([name]);
    expect(names.rest().length).toBe(0);
  });
});

test("records keep their number and order, wherever batches end", () => {
  const texts = ["e1000_intr+0x20/0x40 [e1000]", "ioread32+0x10/0x40"];
  const all = Buffer.concat([read(), symbol(texts[0]!), read(), symbol(texts[1]!), symbol(texts[0]!)]);
  const expected = ["-", "e1000_intr+0x12/0x32 [e1000]", "-", "ioread32+0x10/0x40", "e1000_intr+0x12/0x32 [e1000]"];
  const count = all.length / record_bytes;
  for (let first = 0; first <= count; first += 1) {
    for (let second = first; second <= count; second += 1) {
      const names = siteNamesOf(moved)!;
      const cuts = [0, first, second, count].map((number) => number * record_bytes);
      const given = [0, 1, 2].map((part) =>
        Uint8Array.from(names.take(Uint8Array.from(all.subarray(cuts[part], cuts[part + 1])))),
      );
      const together = Buffer.concat([...given, names.rest()]);
      expect(together.length).toBe(all.length);
      expect(shown(together)).toEqual(expected);
    }
  }
});

test("a symbol without an end isn't lost", () => {
  const names = siteNamesOf(moved)!;
  const cut = symbol("a_function_with_a_long_name+0x20/0x40 [e1000]").subarray(0, record_bytes);
  expect(names.take(cut).length).toBe(0);
  expect(names.rest()).toEqual(cut);
  expect(names.rest().length).toBe(0);
});

test("nothing has moved: there is nothing to do", () => {
  expect(siteNamesOf([])).toBe(undefined);
});
