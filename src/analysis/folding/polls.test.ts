// tier: quick
// Polls in a recorded trace and in made-up reads: nothing gets lost or changes its place, and the words are right.

import { expect, test } from "vitest";
import { RecordList } from "../../../dev/test-support/made-up-records.js";
import { recordedTrace, traceOf } from "../../../dev/test-support/recorded-traces.js";
import { builtInFor } from "../../registers/files/index.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { openTrace } from "../../trace/node/file-source.js";
import { RecordFlag, RecordKind } from "../../trace/record.js";
import { AccessRegisters } from "../view/access-registers.js";
import { selectedViews } from "../view/selection.js";
import { endingWords, type Poll, PollFinder, pollTicks, type Single } from "./polls.js";

async function fold(reader: TraceReader): Promise<(Poll | Single)[]> {
  const items: (Poll | Single)[] = [];
  const finder = new PollFinder((item) => items.push(item));
  for await (const { views } of selectedViews(reader, new AccessRegisters(builtInFor), {})) {
    for (const view of views) finder.add(view.event, view.register);
  }
  finder.end();
  await reader.close();
  return items;
}

const start = 0x1_0000_0000_0000n;

/** Folds reads of e1000's STATUS with these values; a letter is a read of another register. */
async function foldReads(values: (number | string)[]): Promise<string[]> {
  const list = new RecordList();
  values.forEach((value, index) => {
    const [offset, read] = typeof value === "number" ? [8n, BigInt(value)] : [0x100n, 0n];
    const at = { tsc: start + 1_000n * BigInt(index), site: 0xffffffffc0000010n };
    list.add({ ...at, kind: RecordKind.read, address: 0xfebc0000n + offset, width: 4, value: [read, 0n] });
  });
  return (await fold(await traceOf(list.records))).map((item) =>
    item.kind === "poll"
      ? `×${item.count} ${endingWords(item)}`
      : "value" in item.event && item.event.address === 0xfebc0008n
        ? `${item.event.value}`
        : "other",
  );
}

test.each<[string, (number | string)[], string[]]>([
  ["one value", [0, 0, 0], ["×3 always the same"]],
  ["a bit that is set", [0, 0, 0, 2, "a"], ["×4 until bit 1 set (LU)", "other"]],
  ["a bit that is cleared", [3, 3, 1], ["×3 until bit 1 cleared (no longer LU)"]],
  ["two bits", [0x80, 0x80, 0x3], ["×3 until bits 0, 1 set and bit 7 cleared (FD | LU | SPEED=10MB_S)"]],
  [
    "an end, and a new poll",
    [0, 0, 2, 2, 2, 0, 5],
    ["×3 until bit 1 set (LU)", "×3 until bit 1 cleared (no longer LU)", "5"],
  ],
  ["different values, few", [1, 2, 3, "a"], ["1", "2", "3", "other"]],
  ["different values, many", [1, 2, 3, 4, 5], ["×5 each time another value"]],
  [
    "different values, then a poll",
    [1, 2, 3, 4, 5, 5, 5, 7],
    ["×4 each time another value", "×4 until bit 1 set (LU)"],
  ],
  ["two values, then a poll", [1, 2, 2, 2], ["1", "×3 always the same"]],
  ["others in between", [0, "a", 0, 0], ["0", "other", "×2 always the same"]],
])("%s", async (_name, values, wanted) => {
  expect(await foldReads(values)).toEqual(wanted);
});

test("unfolded, a recorded trace is what it was", async () => {
  const reader = await openTrace(recordedTrace);
  const wanted: number[] = [];
  for await (const { views } of selectedViews(reader, new AccessRegisters(builtInFor), {})) {
    for (const { event } of views) wanted.push(event.number);
  }
  const items = await fold(reader);
  const numbers = items.flatMap((item) =>
    item.kind === "single"
      ? [item.event.number]
      : [item.first.number, ...Array(item.count - 2).fill(0), item.last.number],
  );
  expect(numbers.length).toBe(wanted.length);
  numbers.forEach((number, index) => {
    if (number !== 0) expect(number).toBe(wanted[index]);
  });
});

test.each([
  ["another site", { site: 0xffffffffc0000020n }],
  ["another caller", { caller: 0xc0000030 }],
  ["another width", { width: 2 }],
  ["another CPU", { cpu: 1 }],
  ["another process", { pid: 78 }],
  ["an interrupt", { flags: RecordFlag.hardirq }],
  ["an earlier time", { tsc: start }],
  ["a write", { kind: RecordKind.write }],
])("reads don't go on as one poll with %s", async (_what, changes) => {
  const list = new RecordList();
  const read = { kind: RecordKind.read, address: 0xfebc0008n, width: 4, pid: 77, site: 0xffffffffc0000010n };
  const both = { ...read, caller: 0xc0000010 };
  for (const tick of [1n, 2n, 3n]) list.add({ ...both, tsc: start + tick });
  for (const tick of [4n, 5n, 6n]) list.add({ ...both, tsc: start + tick, ...changes });
  const items = await fold(await traceOf(list.records));
  const counts = items.map((item) => (item.kind === "poll" ? item.count : 1));
  expect(counts).toEqual("kind" in changes ? [3, 1, 1, 1] : [3, 3]);
});

test("a poll's time is known if its first and its last read have one", async () => {
  const ticksOf = async (...times: bigint[]) => {
    const list = new RecordList();
    for (const tsc of times) list.add({ kind: RecordKind.read, address: 0xfebc0008n, width: 4, tsc });
    const [poll] = await fold(await traceOf(list.records));
    return pollTicks(poll as Poll);
  };
  expect(await ticksOf(start + 5n, start + 7n, start + 15n)).toBe(10n);
  expect(await ticksOf(0n, start)).toBeUndefined();
  expect(await ticksOf(0n, 0n)).toBeUndefined();
});

test("an end in many bits is told by its value", async () => {
  expect(await foldReads([0, 0, 0xf000])).toEqual([expect.stringMatching(/^×3 until bits 12, 13, 14, 15 set \(/)]);
  expect(await foldReads([0, 0, 0xf0001000])).toEqual([expect.stringMatching(/^×3 until it was 0xf0001000\b/)]);
});
