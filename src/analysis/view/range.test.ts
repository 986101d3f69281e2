// tier: quick
// Ranges, event by event and block by block.
import { describe, expect, test } from "vitest";
import { madeUpHeader } from "../../../dev/test-support/made-up-records.js";
import type { TraceEvent } from "../../trace/events.js";
import type { BlockInfo } from "../../trace/file/reader.js";
import { type Bound, Range } from "./range.js";

const header = madeUpHeader({ clock: { tsc: "0x64", wall_ns: "0x0", tscFrequency_hz: 10 } });

/** Makes an event at so many ticks; a text makes it a marker. */
const event = (number: number, tsc: number, text?: string) =>
  ({ kind: text === undefined ? "unmap" : "mark", number, tsc: BigInt(tsc), text }) as TraceEvent;
const time = (time_s: number): Bound => ({ kind: "time", time_s });
const number = (at: number): Bound => ({ kind: "event", number: at });
const mark = (text: string): Bound => ({ kind: "mark", text });

/** Returns the numbers of the events inside. */
function inside(range: Range, ...events: TraceEvent[]): number[] {
  return events.filter((one) => range.contains(one)).map((one) => one.number);
}

const five = [event(0, 100), event(1, 110), event(2, 120), event(3, 130), event(4, 140)];

describe("events", () => {
  test("by number and by time, the bounds included", () => {
    for (const [from, to, wanted] of [
      [undefined, undefined, [0, 1, 2, 3, 4]],
      [number(1), number(3), [1, 2, 3]],
      [number(4), undefined, [4]],
      [undefined, number(0), [0]],
      [time(1), time(3), [1, 2, 3]],
      [time(1.04), time(2.96), [1, 2, 3]],
      [time(1.06), time(2.94), [2]],
      [time(1e300), undefined, []],
      [time(-1e300), time(1e300), [0, 1, 2, 3, 4]],
    ] as const) {
      const range = new Range(header, { from, to });
      expect(inside(range, ...five)).toEqual(wanted);
      expect([range.isEmpty, range.leavesOut]).toEqual([wanted.length === 0, wanted.length < 5]);
      expect(range.missingMark).toBeUndefined();
    }
    expect(new Range(header, { from: time(1), to: time(3) })).toMatchObject({ fromTsc: 110n, toTsc: 130n });
    expect(new Range(header, { from: number(1) })).toMatchObject({ fromTsc: undefined, toTsc: undefined });
  });

  test("without a time count with the one before", () => {
    const events = [event(0, 0), event(1, 110), event(2, 0), event(3, 130), event(4, 0)];
    expect(inside(new Range(header, { from: time(1), to: time(2) }), ...events)).toEqual([1, 2]);
    expect(inside(new Range(header, { from: time(2) }), ...events)).toEqual([3, 4]);
  });

  test("between markers, which belong to both ranges", () => {
    const events = [event(0, 100), event(1, 110, "a cable"), event(2, 120), event(3, 130, "cables out"), event(4, 140)];
    const cases: [Bound | undefined, Bound | undefined, number[], string | undefined][] = [
      [mark("cable"), undefined, [1, 2, 3, 4], undefined],
      [undefined, mark("out"), [0, 1, 2, 3], undefined],
      [mark("a cable"), mark("out"), [1, 2, 3], undefined],
      [mark("cable"), mark("cable"), [1], undefined],
      [mark("none"), undefined, [], "none"],
      [undefined, mark("none"), [0, 1, 2, 3, 4], "none"],
      [mark("out"), mark("a cable"), [3, 4], "a cable"],
      [number(2), mark("a cable"), [2, 3, 4], "a cable"],
    ];
    for (const [from, to, wanted, missing] of cases) {
      const range = new Range(header, { from, to });
      expect(inside(range, ...events)).toEqual(wanted);
      expect(range.missingMark).toBe(missing);
    }
  });
});

describe("blocks", () => {
  const block = (firstEvent: number, events: number, tscMin: number, tscMax: number) =>
    ({ firstEvent, events, tscMin: BigInt(tscMin), tscMax: BigInt(tscMax) }) as BlockInfo;
  const reaches = (from: Bound | undefined, to: Bound | undefined, one: BlockInfo) => {
    const range = new Range(header, { from, to });
    const isReached = range.reaches(one);
    expect(range.leavesOut).toBe(!isReached);
    return isReached;
  };

  test("are reached by number if one of their events is", () => {
    const one = block(10, 5, 100, 200);
    expect([9, 10, 14, 15].map((at) => reaches(number(at), undefined, one))).toEqual([true, true, true, false]);
    expect([9, 10, 14, 15].map((at) => reaches(undefined, number(at), one))).toEqual([false, true, true, true]);
  });

  test("are reached by time if one of their times is, or if they may have none", () => {
    const one = block(10, 5, 110, 120);
    expect([0.9, 1, 2, 2.1].map((at) => reaches(time(at), undefined, one))).toEqual([true, true, true, false]);
    expect([0.9, 1, 2, 2.1].map((at) => reaches(undefined, time(at), one))).toEqual([false, true, true, true]);
    expect(reaches(time(9), undefined, block(10, 5, 0, 0))).toBe(true);
  });

  test("aren't reached any more behind the last marker", () => {
    const range = new Range(header, { to: mark("end") });
    expect(range.reaches(block(0, 5, 100, 200))).toBe(true);
    range.contains(event(0, 100, "the end"));
    expect(range.reaches(block(5, 5, 100, 200))).toBe(false);
    expect(inside(range, event(6, 150))).toEqual([]);
  });
});
