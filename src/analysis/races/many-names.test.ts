// tier: quick
// Traces with more threads, locks, variables and pairs than the tables begin with, whose answers are known by construction.
import { describe, expect, test } from "vitest";
import { racesOf } from "../../../dev/test-support/race-traces.js";
import { findRaces, type RaceAlgorithm, raceAlgorithms } from "./find-races.js";

/** Makes a trace of lines such as `T1 w(x)`; a line's location is its number, unless a third word gives one. */
const traceOf = (lines: readonly string[]): string =>
  lines
    .map((line, at) => {
      const [thread, operation, location = at + 1] = line.split(" ");
      return `${thread}|${operation}|${location}\n`;
    })
    .join("");

const numbersTo = (count: number): number[] => [...Array(count).keys()];

/** Each thread has a lock and a variable of its own, and takes two turns. */
const threads = 140;
const turn = (thread: number) => [
  `T${thread} acq(m${thread})`,
  `T${thread} w(x${thread})`,
  `T${thread} r(x${thread})`,
  `T${thread} rel(m${thread})`,
];
const apart = [...numbersTo(threads), ...numbersTo(threads)].flatMap(turn);

/** Thread i hands a variable on to thread i + 1, with lock i. */
const handOver = numbersTo(threads).flatMap((thread) => [
  `T${thread} acq(m${thread - 1})`,
  `T${thread} r(x)`,
  `T${thread} w(x)`,
  `T${thread} rel(m${thread - 1})`,
  `T${thread} acq(m${thread})`,
  `T${thread} rel(m${thread})`,
]);

/** T2 reads a flag that T1 has set, and then the value that T1 had written before; in the end it reads all once more. */
const flags = 300;
const message = (at: number) => [`T1 w(value${at})`, `T1 w(flag${at})`];
const reading = (at: number) => [`T2 r(flag${at})`, `T2 r(value${at})`];
const messages = [
  ...numbersTo(flags).flatMap((at) => [...message(at), ...reading(at)]),
  ...numbersTo(flags).flatMap(reading),
];

describe.each(raceAlgorithms)("%s", (algorithm) => {
  test("threads with locks and variables of their own don't race", async () => {
    expect(await racesOf(traceOf(apart), algorithm)).toEqual({
      algorithm,
      events: apart.length,
      threads,
      locks: threads,
      variables: threads,
      racyEvents: 0,
      racyVariables: [],
      races: [],
      unfolded: 0,
      notes: [],
      eventNumbers: [],
    });
  });

  test("one more variable, written by all of them, is the only racy one", async () => {
    const lines = numbersTo(threads).flatMap((thread) => [...turn(thread), `T${thread} w(shared)`]);
    const { racyVariables, races, eventNumbers } = await racesOf(traceOf(lines), algorithm);
    const writes = numbersTo(threads).map((thread) => 5 * thread + 5);
    expect(eventNumbers).toEqual(writes.slice(1));
    expect(racyVariables).toEqual([{ name: "shared", racyEvents: threads - 1 }]);
    // as lines of text: thousands of objects take long to compare
    const pairs = races.map(({ variable, earlier, later, count, first }) =>
      [
        variable,
        earlier?.operation,
        earlier?.location,
        later.operation,
        later.location,
        count,
        first.event,
        ...first.threads,
      ].join(" "),
    );
    const expected = writes.slice(1).flatMap((event, before) => {
      const later = `write ${event} 1 ${event}`;
      const thread = `T${before + 1}`;
      if (algorithm === "lockset") return [`shared   ${later} ${thread}`];
      // with all that wrote before
      return numbersTo(before + 1).map((other) => `shared write ${writes[other]} ${later} T${other} ${thread}`);
    });
    expect(pairs.join("\n")).toBe(expected.join("\n"));
  });

  test("a variable that goes from thread to thread, each time with another lock", async () => {
    const { eventNumbers, notes, threads: found, locks } = await racesOf(traceOf(handOver), algorithm);
    const reads = numbersTo(threads).map((thread) => 6 * thread + 2);
    const racy: Record<RaceAlgorithm, number[]> = {
      hb: [],
      shb: [],
      // the reader's section might have come before the section that the writer has afterwards
      syncp: reads.slice(1),
      lockset: reads.slice(1).flatMap((read) => [read, read + 1]),
    };
    expect(eventNumbers).toEqual(racy[algorithm]);
    expect([found, locks, notes]).toEqual([threads, threads + 1, []]);
  });

  test("flags that are read before the values that they stand for", async () => {
    const { racyVariables, racyEvents } = await racesOf(traceOf(messages), algorithm);
    const seesReads = algorithm === "shb" || algorithm === "syncp";
    const each = seesReads ? 1 : 2;
    const names = numbersTo(flags).flatMap((at) => (seesReads ? [`flag${at}`] : [`value${at}`, `flag${at}`]));
    expect(racyVariables).toEqual(names.map((name) => ({ name, racyEvents: each })));
    expect(racyEvents).toBe(names.length * each);
  });

  test.each([
    ["a byte at a time", 1],
    ["in pieces that end anywhere", 1021],
  ])("a trace gives the same result %s", async (_how, length) => {
    const text = traceOf([...messages.slice(0, 800), ...handOver.slice(0, 600)]);
    const whole = await racesOf(text, algorithm);
    const bytes = new TextEncoder().encode(text);
    const eventNumbers: number[] = [];
    function* pieces() {
      for (let from = 0; from < bytes.length; from += length) yield bytes.slice(from, from + length);
    }
    const onRacy = (event: number) => void eventNumbers.push(event);
    const found = await findRaces(pieces, { algorithm, file: "trace.std", onRacy });
    expect(whole.racyEvents).toBeGreaterThan(100);
    expect({ ...found, eventNumbers }).toEqual(whole);
  });
});

/** More than the lists of accesses have room for at first. */
const readers = 300;

describe.each(["hb", "shb"] as const)("%s", (algorithm) => {
  test("a write races with the last read of each of many threads", async () => {
    // 7 and the number of readers have no common factor: each location once
    const location = (thread: number) => (7 * thread) % readers;
    const reads = (from: number) => numbersTo(readers).map((thread) => `T${thread} r(x) ${from + location(thread)}`);
    const lines = [...reads(1000), ...reads(2000), "W w(x) 5"];
    const { races, eventNumbers } = await racesOf(traceOf(lines), algorithm);
    const event = 2 * readers + 1;
    expect(eventNumbers).toEqual([event]);
    const byLocation = numbersTo(readers).sort((a, b) => location(a) - location(b));
    expect(races).toEqual(
      byLocation.map((thread) => ({
        variable: "x",
        earlier: { operation: "read", location: 2000 + location(thread) },
        later: { operation: "write", location: 5 },
        count: 1,
        first: { event, threads: [`T${thread}`, "W"] },
      })),
    );
  });

  test("reads that a write has in its past are forgotten, and there is room for others", async () => {
    const joins = numbersTo(readers).map((reader) => `W join(T${reader})`);
    const fresh = numbersTo(5).map((reader) => `F${reader} r(x) ${reader}`);
    const lines = [...numbersTo(readers).map((reader) => `T${reader} r(x)`), ...joins, "W w(x)", ...fresh, "W w(x) 77"];
    const { races } = await racesOf(traceOf(lines), algorithm);
    const pairs = races.map(({ earlier, later, count, first }) => [
      earlier?.location,
      later.location,
      count,
      first.event,
    ]);
    const written = 2 * readers + 1;
    expect(pairs).toEqual([
      ...numbersTo(5).map((reader) => [written, reader, 1, written + 1 + reader]),
      ...numbersTo(5).map((reader) => [reader, 77, 1, written + 6]),
    ]);
  });
});

test("thousands of distinct pairs are folded each", async () => {
  const places = 3000;
  const reads = numbersTo(places).map((place) => `T2 r(x${place % 2}) ${place - 1500}`);
  const lines = ["T1 w(x0) -1", "T1 w(x1) 2147483647", ...reads, ...reads, ...reads.slice(0, 100)];
  const { races, racyVariables, unfolded } = await racesOf(traceOf(lines), "hb");
  const pairs = races.map(({ variable, earlier, later, count, first }) =>
    [variable, earlier?.location, later.location, count, first.event, ...first.threads].join(" "),
  );
  const expected = numbersTo(places).map((place) => {
    const written = place % 2 === 0 ? "x0 -1" : "x1 2147483647";
    return `${written} ${place - 1500} ${place < 100 ? 3 : 2} ${place + 3} T1 T2`;
  });
  expect(pairs.join("\n")).toBe(expected.join("\n"));
  expect(racyVariables).toEqual(["x0", "x1"].map((name) => ({ name, racyEvents: places + 50 })));
  expect(unfolded).toBe(0);
});

test.each(["hb", "syncp"] as const)("notes count events of many threads and locks: %s", async (algorithm) => {
  const many = numbersTo(200);
  const notesOf = async (...lines: string[]) => (await racesOf(traceOf(lines), algorithm)).notes;
  const acquire = (thread: string) => many.map((lock) => `${thread} acq(m${lock})`);
  const release = (thread: string) => many.map((lock) => `${thread} rel(m${lock})`);
  const run = many.map((thread) => `T${thread} w(x${thread})`);
  const forks = many.map((thread) => `T0 fork(T${thread})`);
  const joins = many.map((thread) => `T0 join(T${thread})`);
  // a batch ends between the acquires and what is told about them
  const pause = numbersTo(1100).map(() => "A r(x)");

  expect(await notesOf(...acquire("A"), ...acquire("A"), ...release("A"), ...pause, ...release("A"))).toEqual([]);
  expect(await notesOf(...acquire("A"), ...pause, ...acquire("B"))).toEqual([
    "200 acquires of locks that other threads hold: are releases missing?",
  ]);
  expect(await notesOf(...acquire("A"), ...release("A"), ...acquire("B"), ...pause, ...release("A"))).toEqual([
    "200 releases of locks that their threads don't hold: are acquires missing?",
  ]);
  expect(await notesOf(...forks.slice(1), ...run, ...joins.slice(1))).toEqual([]);
  expect(await notesOf(...run, ...forks)).toEqual(["200 forks of threads that were there before"]);
  expect(await notesOf(...forks.slice(1))).toEqual([
    "199 forked threads without events: if the trace calls them by other names, these forks order nothing",
  ]);
  expect(await notesOf("T0 begin", ...joins.slice(1), ...run.slice(1))).toEqual([
    "199 events of threads that were joined before",
  ]);
});
