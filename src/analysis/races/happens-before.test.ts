// tier: quick
// Happens-before on traces small enough to be judged by hand. Each line is an event; a racy one is marked by !.
import { expect, test } from "vitest";
import { markedTrace, racesOf } from "../../../dev/test-support/race-traces.js";

test.each([
  ["two writes without order race", "T1 w(x)\nT2 w(x) !"],
  ["two reads don't", "T1 r(x)\nT2 r(x)"],
  ["a read races with a write before it", "T1 w(x)\nT2 r(x) !"],
  ["a write races with a read before it", "T1 r(x)\nT2 w(x) !"],
  ["a thread doesn't race with itself", "T1 w(x)\nT1 r(x)\nT1 w(x)"],
  ["a lock orders", "T1 acq(m)\nT1 w(x)\nT1 rel(m)\nT2 acq(m)\nT2 w(x)\nT2 rel(m)"],
  ["another lock doesn't", "T1 acq(m)\nT1 w(x)\nT1 rel(m)\nT2 acq(n)\nT2 w(x) !\nT2 rel(n)"],
  [
    "a lock orders what lies before it, too: the race of another order is missed",
    "T1 w(x)\nT1 acq(m)\nT1 rel(m)\nT2 acq(m)\nT2 rel(m)\nT2 w(x)",
  ],
  ["a fork orders, and so does a join", "T1 w(x)\nT1 fork(T2)\nT2 w(x)\nT1 join(T2)\nT1 w(x)"],
  ["but not what comes after a fork", "T1 fork(T2)\nT1 w(x)\nT2 w(x) !"],
  ["order is passed on", "T1 w(x)\nT1 acq(m)\nT1 rel(m)\nT2 acq(m)\nT2 acq(n)\nT2 rel(n)\nT3 acq(n)\nT3 r(x)"],
  ["begin and end order nothing", "T1 begin\nT1 w(x)\nT1 end\nT2 begin(name)\nT2 w(x) !\nT2 end"],
  // FastTrack's example of a variable that threads read at once: one epoch wouldn't remember T1's read
  [
    "reads by several threads are all remembered",
    "T1 fork(T2)\nT1 r(x)\nT2 r(x)\nT1 acq(m)\nT1 rel(m)\nT3 acq(m)\nT3 w(x) !",
  ],
  ["and forgotten once they are all in the past", "T1 fork(T2)\nT1 r(x)\nT2 r(x)\nT1 join(T2)\nT1 w(x)\nT1 r(x)"],
  // every racy event counts, not only a variable's first
  ["events after a variable's first race are racy, too", "T1 w(x)\nT2 w(x) !\nT1 w(x) !\nT3 r(x) !"],
  ["a racing write doesn't hide an earlier one", "T1 w(x)\nT2 w(x) !\nT2 acq(m)\nT2 rel(m)\nT3 acq(m)\nT3 r(x) !"],
  // T2 goes on after it was joined, which no real thread does: its later write isn't in T1's past
  [
    "a joined thread that goes on",
    "T2 w(y)\nT1 join(T2)\nT3 w(x)\nT3 acq(m)\nT3 rel(m)\nT2 acq(m)\nT2 w(x)\nT1 r(x) !",
  ],
  // its release hands on more than its time tells: T1 has that time already
  [
    "a joined thread that goes on, and hands on what it has learnt",
    "T2 w(y)\nT1 join(T2)\nT3 w(x)\nT3 acq(m)\nT3 rel(m)\nT2 acq(m)\nT2 acq(n)\nT2 rel(n)\nT1 acq(n)\nT1 r(x)",
  ],
])("%s", async (_what, text) => {
  const { trace, racy } = markedTrace(text);
  expect((await racesOf(trace, "hb")).eventNumbers).toEqual(racy);
});

test("races are folded by variable, locations and operations, the most frequent first", async () => {
  const trace = ["T1|w(x)|1", "T2|w(x)|2", "T2|w(x)|2", "T2|r(x)|2", "T1|w(y)|7", "T2|r(y)|8"].join("\n");
  const { races, racyEvents, racyVariables, events, threads, variables, locks } = await racesOf(trace, "hb");
  const earlier = { operation: "write", location: 1 };
  expect(races).toEqual([
    {
      variable: "x",
      earlier,
      later: { operation: "write", location: 2 },
      count: 2,
      first: { event: 2, threads: ["T1", "T2"] },
    },
    {
      variable: "x",
      earlier,
      later: { operation: "read", location: 2 },
      count: 1,
      first: { event: 4, threads: ["T1", "T2"] },
    },
    {
      variable: "y",
      earlier: { operation: "write", location: 7 },
      later: { operation: "read", location: 8 },
      count: 1,
      first: { event: 6, threads: ["T1", "T2"] },
    },
  ]);
  expect(racyVariables).toEqual([
    { name: "x", racyEvents: 3 },
    { name: "y", racyEvents: 1 },
  ]);
  expect({ racyEvents, events, threads, variables, locks }).toEqual({
    racyEvents: 4,
    events: 6,
    threads: 2,
    variables: 2,
    locks: 0,
  });
});

test("an event that races with several is one racy event of several pairs", async () => {
  const { trace } = markedTrace("T1 r(x)\nT2 r(x)\nT3 w(x)");
  const { racyEvents, races } = await racesOf(trace, "hb");
  expect(racyEvents).toBe(1);
  expect(races.map(({ earlier }) => earlier?.location).sort()).toEqual([1, 2]);
});

test("each of several threads' accesses stays, as long as it isn't in a later one's past", async () => {
  const { trace } = markedTrace("T1 r(x)\nT2 r(x)\nT3 r(x)\nT4 r(x)\nT5 w(x)\nT5 w(x)\nT4 fork(T6)\nT6 w(x)");
  const { races } = await racesOf(trace, "hb");
  const counts = new Map(races.map(({ earlier, later, count }) => [`${earlier?.location} ${later.location}`, count]));
  const both = ["1 5", "2 5", "3 5", "4 5", "1 6", "2 6", "3 6", "4 6"];
  expect([...counts.keys()].sort()).toEqual([...both, "6 8", "1 8", "2 8", "3 8"].sort());
  expect(new Set(counts.values())).toEqual(new Set([1]));
});
