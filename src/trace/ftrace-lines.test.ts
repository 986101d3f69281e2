// tier: quick
// The lines that ftrace itself prints, after kernel/trace/trace.c's format strings, and trace-cmd's report.
import { describe, expect, test } from "vitest";
import { EntryCount, isCountOfLog, isFtraceComment, isLostMark, lossOfLine, ReportedLosses } from "./ftrace-lines.js";

describe("a line reports a loss", () => {
  test.each([
    ["# entries-in-buffer/entries-written: 32555/372955   #P:4", 340_400n, undefined],
    ["#     entries-in-buffer/entries-written: 1/2", 1n, undefined],
    ["# latency: 12 us, #100/300, CPU#0 | (M:desktop VP:0, KP:0, SP:0 HP:0 #P:4)", 200n, undefined],
    ["CPU:3 [LOST 1234 EVENTS]", 1234n, 3],
    ["CPU:0 [LOST EVENTS]", undefined, 0],
    ["CPU:12 [7 EVENTS DROPPED]", 7n, 12],
    ["CPU:1 [EVENTS DROPPED]", undefined, 1],
    ["CPU:12345 [LOST 123456789012345 EVENTS]", 123_456_789_012_345n, 12_345],
  ])("%s", (line, count, cpu) => {
    expect(lossOfLine(line)).toEqual({ count, cpu });
    expect(isCountOfLog(line)).toBe(true);
  });

  test.each(["# entries-in-buffer/entries-written: 5/5   #P:4", "# latency: 12 us, #100/100, CPU#0 |"])(
    "not where nothing was overwritten: %s",
    (line) => {
      expect(lossOfLine(line)).toBeUndefined();
      expect(isCountOfLog(line)).toBe(true);
    },
  );

  test.each([
    "# tracer: nop",
    "entries-in-buffer/entries-written: 1/2",
    " # entries-in-buffer/entries-written: 1/2",
    "#entries-in-buffer/entries-written: 1/2",
    "# entries-in-buffer/entries-written: 1/2#",
    "# entries-in-buffer/entries-written: /2",
    "# entries-in-buffer/entries-written: 1/1234567890123456",
    "# entries-in-buffer/entries-written: 1234567890123456/1",
    "## latency: 12 us, #100/300, CPU#0",
    "# latency: us, #100/300, CPU#0",
    "# latency: 12 us, #100/300",
    "x CPU:3 [LOST 1234 EVENTS]",
    "CPU:3 [LOST 1234 EVENTS] x",
    "CPU: [LOST 1234 EVENTS]",
    "CPU:123456 [LOST 1234 EVENTS]",
    "CPU:3 [LOST 1234567890123456 EVENTS]",
    "CPU:3 [LOST  EVENTS]",
    "CPU:3 [1234567890123456 EVENTS DROPPED]",
    "CPU:3 [LOST 12 EVENTS DROPPED]",
  ])("not this one: %s", (line) => {
    expect(lossOfLine(line)).toBeUndefined();
    expect(isCountOfLog(line)).toBe(false);
  });
});

test("mmiotrace's mark of lost events is this line, and no other", () => {
  const lines = ["MARK 0.000000 Lost 5 events.", "MARK 0.000000 Lost 120 events."];
  expect(lines.map(isLostMark)).toEqual([true, true]);
  expect(lines.map(isCountOfLog)).toEqual([true, true]);
  const others = [
    "Lost 0 events.",
    "Lost 05 events.",
    "Lost 5 events",
    "Lost events.",
    "Lost 5 events. ",
    "Lost 5 events,",
  ];
  for (const other of others) expect(isLostMark(`MARK 0.000000 ${other}`), other).toBe(false);
  expect(isLostMark(" MARK 0.000000 Lost 5 events.")).toBe(false);
  expect(isLostMark("MARK 0x000000 Lost 5 events.")).toBe(false);
});

test("a comment begins with #", () => {
  expect(["# tracer: nop", "#", "x #", ""].map(isFtraceComment)).toEqual([true, true, false, false]);
});

describe("the number of entries that a head announces", () => {
  const head = (count: number) => `# entries-in-buffer/entries-written: ${count}/${count}   #P:4`;
  /** The sentences about a log of so many lines, of which those at these numbers are comments or reports. */
  function missing(lines: number, others: Record<number, string>): string[] {
    const entries = new EntryCount();
    for (const [number, line] of Object.entries(others)) entries.take(line, Number(number));
    entries.end(lines + 1);
    return entries.missing;
  }

  test.each([
    ["as many as announced", 5, { 1: "#", 2: head(3) }, []],
    ["more than announced", 6, { 1: "#", 2: head(3) }, []],
    ["one too few", 4, { 2: head(3) }, ["the head in line 2 announces 3 entries, of which at most 2 are in the log"]],
    ["one of two", 3, { 2: head(2) }, ["the head in line 2 announces 2 entries, of which at most 1 is in the log"]],
    ["none of one", 2, { 2: head(1) }, ["the head in line 2 announces 1 entry, of which none is in the log"]],
    [
      "lines that are no entries",
      5,
      { 2: head(3), 4: "CPU:1 [LOST 1 EVENTS]" },
      ["the head in line 2 announces 3 entries, of which at most 2 are in the log"],
    ],
    [
      "more other lines than lines",
      3,
      { 2: head(1), 3: "#" },
      ["the head in line 2 announces 1 entry, of which none is in the log"],
    ],
    [
      "of thousands",
      1502,
      { 2: head(2000) },
      ["the head in line 2 announces 2,000 entries, of which at most 1,500 are in the log"],
    ],
    [
      "the first of two heads",
      9,
      { 1: "#", 2: head(3), 5: head(4) },
      ["the head in line 2 announces 3 entries, of which at most 2 are in the log"],
    ],
    ["other lines before a head", 6, { 1: "#", 2: "#", 3: "#", 4: head(2) }, []],
    ["without a head", 3, { 1: "#" }, []],
  ])("%s", (_name, lines, others, sentences) => {
    expect(missing(lines, others as Record<number, string>)).toEqual(sentences);
  });
});

test("of losses that marks and CPUs report both, the greater sum counts", () => {
  const losses = new ReportedLosses();
  expect([losses.ofMark(10n), losses.ofCpu(4n), losses.ofCpu(6n), losses.ofCpu(5n)]).toEqual([10n, 0n, 0n, 5n]);
  expect([losses.ofMark(3n), losses.ofMark(4n)]).toEqual([0n, 2n]);
});
