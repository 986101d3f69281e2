// tier: quick
// The sentences about a trace that isn't whole.
import { expect, test } from "vitest";
import { madeUpSummary } from "../../../dev/test-support/made-up-records.js";
import type { TraceSummary } from "../header.js";
import { holeSentence, incompleteOf, notesOf } from "./incomplete.js";
import type { TraceReader } from "./reader.js";

const whole = { damage: null, holes: [], summary: madeUpSummary, source: {} };
const readerOf = (changes: object) => ({ ...whole, ...changes }) as unknown as TraceReader;
const sentencesOf = (changes: object) => incompleteOf(readerOf(changes));
const withSummary = (summary: Partial<TraceSummary>, more = {}) =>
  sentencesOf({ summary: { ...madeUpSummary, ...summary }, ...more });

const cut = { offset: 80, what: "the block's header is cut short" };
const hole = { offset: 64, what: "the block's content is broken", records: 3 };

test("a whole trace lacks nothing, nor does one that tells nothing of its end", () => {
  expect([sentencesOf({}), sentencesOf({ summary: null }), sentencesOf({ source: { incomplete: [] } })]).toEqual([
    ...[[], [], []],
  ]);
});

test("a hole is told with its place and the number of records", () => {
  expect(holeSentence(hole)).toBe(
    "the trace is damaged at byte 64, the block's content is broken: 3 records can't be read",
  );
  expect(holeSentence({ ...hole, records: 1 })).toMatch(/: 1 record can't be read$/);
  expect(holeSentence({ ...hole, records: 0 })).toBe("the trace is damaged at byte 64, the block's content is broken");
});

test("the cut comes first, then the holes, the source, and what the recorder told", () => {
  expect(
    withSummary({ incomplete: ["told"] }, { damage: cut, holes: [hole], source: { incomplete: ["packed"] } }),
  ).toEqual([
    ...["the trace is cut at byte 80: the block's header is cut short", holeSentence(hole), "packed", "told"],
  ]);
  expect(sentencesOf({ summary: null, damage: cut })).toEqual([
    "the trace is cut at byte 80: the block's header is cut short",
  ]);
});

test.each([
  [{ lost: 1 }, ["1 record was lost and 0 instructions escaped emulation"]],
  [{ lost: 2000, escaped: 1 }, ["2,000 records were lost and 1 instruction escaped emulation"]],
  [{ escaped: 2 }, ["0 records were lost and 2 instructions escaped emulation"]],
  [{ lost: 1, escaped: 2, incomplete: ["told"] }, ["told"]],
  [{ unrecorded: 4 }, ["4 mappings got no decoy: accesses through them are not in the trace"]],
  [{ unrecorded: 4, lost: 1 }, ["1 record was lost and 0 instructions escaped emulation"]],
  [{ unrecorded: 4, incomplete: ["told"] }, ["told"]],
])("the numbers of a summary that says nothing itself: %j", (summary, sentences) => {
  expect(withSummary(summary)).toEqual(sentences);
});

test("a trace keeps the notes of its import and those about its bounds", () => {
  const summary = { ...madeUpSummary, notes: ["a", "b"], part: ["c"] };
  expect(notesOf(readerOf({ summary }))).toEqual(["a", "b", "c"]);
  expect([notesOf(readerOf({})), notesOf(readerOf({ summary: null }))]).toEqual([[], []]);
});
