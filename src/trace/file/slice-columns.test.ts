// tier: quick
import { expect, test } from "vitest";
import type { EventColumns } from "../event-columns.js";
import { record_bytes } from "../record.js";
import { sliceColumns } from "./slice-columns.js";

/** A block with the records row 0, other 0, other 1, row 1, row 2, other 2; an other record's bytes are its number. */
const block = {
  rows: 3,
  ticks: Float64Array.of(10, 20, 30),
  word: Uint16Array.of(1, 2, 3),
  task: Uint16Array.of(4, 5, 6),
  others: 3,
  otherAt: Uint32Array.of(1, 1, 3),
  other: Uint8Array.from({ length: 3 * record_bytes }, (_, at) => Math.floor(at / record_bytes)),
  before: new Uint8Array(),
  words: 9,
} as EventColumns;

const numbersOf = (bytes: Uint8Array) =>
  Array.from({ length: bytes.length / record_bytes }, (_, at) => bytes[at * record_bytes]);

test.each([
  // from, count: ticks of the rows, numbers and places of the others, numbers of those before
  [0, 6, [10, 20, 30], [0, 1, 2], [1, 1, 3], []],
  [0, 1, [10], [], [], []],
  [0, 2, [10], [0], [1], []],
  [1, 1, [], [0], [0], []],
  [1, 2, [], [0, 1], [0, 0], []],
  [2, 1, [], [1], [0], [0]],
  [2, 2, [20], [1], [0], [0]],
  [3, 2, [20, 30], [], [], [0, 1]],
  [3, 3, [20, 30], [2], [2], [0, 1]],
  [5, 1, [], [2], [0], [0, 1]],
  [6, 0, [], [], [], [0, 1, 2]],
])("from record %i, %i records", (from, count, ticks, others, places, before) => {
  const part = sliceColumns(block, from, count);
  expect([[...part.ticks], numbersOf(part.other), [...part.otherAt], numbersOf(part.before)]).toEqual([
    ...[ticks, others, places, before],
  ]);
  expect([part.rows, part.others, part.word.length, part.task.length, part.words]).toEqual([
    ...[ticks.length, others.length, ticks.length, ticks.length, 9],
  ]);
  expect([...part.word].map((word) => word * 10)).toEqual(ticks);
  expect([...part.task].map((task) => (task - 3) * 10)).toEqual(ticks);
});
