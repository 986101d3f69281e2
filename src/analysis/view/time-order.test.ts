// tier: quick
import { expect, test } from "vitest";
import type { AccessEvent } from "../../trace/events.js";
import { TimeOrder, timesBackSentence } from "./time-order.js";

const hz = 1000;

/** Returns the result for accesses with these time stamps, numbered from 5 on. */
function resultOf(...times: number[]) {
  const order = new TimeOrder();
  for (const [at, tsc] of times.entries()) order.take({ tsc: BigInt(tsc), number: 5 + at } as AccessEvent);
  return order.result(hz);
}

test("times that never go back are in order, equal ones and missing ones, too", () => {
  for (const times of [[], [7], [1, 2, 2, 3], [3, 0, 3], [0, 0], [5, 0, 9]]) expect(resultOf(...times)).toBeNull();
});

test("the first step back, their number and the greatest one are told", () => {
  expect(resultOf(10, 9)).toEqual({ event: 6, count: 1, most_s: 0.001 });
  expect(resultOf(10, 20, 15, 16, 4, 3)).toEqual({ event: 7, count: 3, most_s: 0.012 });
  expect(resultOf(10, 4, 9, 8)).toEqual({ event: 6, count: 2, most_s: 0.006 });
  // a missing time between is none to go back to
  expect(resultOf(10, 0, 9)).toEqual({ event: 7, count: 1, most_s: 0.001 });
});

test("the sentence tells one step, or how many", () => {
  expect(timesBackSentence({ event: 1200, count: 1, most_s: 1.19 })).toBe("times go back at event 1,200, by 1.19 s");
  expect(timesBackSentence({ event: 3, count: 2, most_s: 0.5 })).toBe(
    "times go back at 2 events, first at event 3, by 500 ms at most",
  );
});
