// tier: quick
import { describe, expect, test } from "vitest";
import type { AccessEvent } from "../../trace/events.js";
import { PollTally } from "./poll-tally.js";
import { Tally } from "./tally.js";

const access: AccessEvent = {
  ...{ number: 0, sequence: 1, tsc: 1n, cpu: 0, pid: 7, flags: 0, kind: "read", address: 0x10n, width_bytes: 4 },
  ...{ value: 1n, site: 3n, caller: 0n, mapping: 1, target: -1 },
};

describe("accesses", () => {
  test("are counted by direction, with their bytes; their times are those of the clock", () => {
    const tally = new Tally();
    for (const [kind, width_bytes, ticks] of [
      ["read", 4, 10],
      ["write", 8, 14],
      ["read", 2, 14],
      ["write", 1, 44],
    ] as const) {
      tally.add({ ...access, kind, width_bytes }, ticks);
    }
    expect(tally.accesses).toBe(4);
    expect(tally.result(2)).toEqual({
      ...{ accesses: 4, reads: 2, writes: 2, read_bytes: 6, written_bytes: 9, first_s: 5, last_s: 22 },
      between_s: { least: 0, mean: 34 / 3 / 2, greatest: 15 },
    });
  });

  test.each([
    ["no access", [], null, null, null],
    ["one", [6], 3, 3, null],
    ["one at the start", [0, 4], 0, 2, { least: 2, mean: 2, greatest: 2 }],
    [
      "a step back is no time between, and the next one counts from there",
      [10, 2, 8],
      1,
      5,
      { least: 3, mean: 3, greatest: 3 },
    ],
    ["only steps back", [10, 2], 1, 5, null],
    [
      "those without a time are counted alone",
      [Number.NaN, 4, Number.NaN, 10],
      2,
      5,
      { least: 3, mean: 3, greatest: 3 },
    ],
    ["none has a time", [Number.NaN], null, null, null],
    ["before the start", [-4, -2], -2, -1, { least: 1, mean: 1, greatest: 1 }],
  ])("times: %s", (_name, times, first_s, last_s, between_s) => {
    const tally = new Tally();
    for (const ticks of times) tally.add(access, ticks);
    expect(tally.result(2)).toMatchObject({ accesses: times.length, first_s, last_s, between_s });
  });
});

describe("polls", () => {
  const register = { name: "STATUS" };
  const tell = ({ name }: { name: string }, code: bigint) => ({
    ...{ device: "0000:00:04.0", driver: "e1000", bar: 0, offset: "0x8", register: name, site: `${code}` },
  });
  /** Returns the polls among accesses, as `reads longest duration` each. */
  function pollsOf(changes: Partial<AccessEvent>[], times = changes.map((_, at) => BigInt(10 * at + 10))) {
    const tally = new PollTally<{ name: string }>(10);
    for (const [at, change] of changes.entries()) tally.add({ ...access, tsc: times[at]!, ...change }, register);
    return tally.result(tell).map(({ polls, reads, longest, duration_s }) => [polls, reads, longest, duration_s]);
  }
  const times = (count: number, change: Partial<AccessEvent> = {}) => Array.from({ length: count }, () => change);

  test("three equal reads are one, two aren't", () => {
    expect(pollsOf(times(3))).toEqual([[1, 3, 3, 2]]);
    expect(pollsOf(times(2))).toEqual([]);
    expect(pollsOf(times(5))).toEqual([[1, 5, 5, 4]]);
  });

  test("the values may differ", () => {
    expect(pollsOf([{ value: 1n }, { value: 2n }, { value: 3n }])).toEqual([[1, 3, 3, 2]]);
  });

  test.each([
    ["another address", { address: 0x14n }],
    ["another width", { width_bytes: 2 }],
    ["other code", { site: 4n }],
    ["another caller", { caller: 9n }],
    ["a write", { kind: "write" }],
  ] as const)("%s ends it", (_name, change) => {
    expect(pollsOf([...times(3), change, ...times(4)])).toEqual([[2, 7, 4, 5]]);
    // and the reads around it are none together
    expect(pollsOf([...times(2), change, ...times(2)])).toEqual([]);
  });

  test.each([
    ["process", { pid: 8 }],
    ["CPU", { cpu: 1 }],
  ])("an access of another %s doesn't", (_name, change) => {
    expect(pollsOf([...times(2), change, {}])).toEqual([[1, 3, 3, 3]]);
  });

  test("a step back in time ends it; equal times don't", () => {
    expect(pollsOf(times(6), [10n, 20n, 30n, 29n, 40n, 50n])).toEqual([[2, 6, 3, 4.1]]);
    expect(pollsOf(times(3), [10n, 10n, 10n])).toEqual([[1, 3, 3, 0]]);
  });

  test("without times it has no duration", () => {
    expect(pollsOf(times(3), [0n, 0n, 0n])).toEqual([[1, 3, 3, null]]);
    expect(pollsOf(times(3), [0n, 20n, 30n])).toEqual([[1, 3, 3, null]]);
  });

  test("a loss ends all", () => {
    const tally = new PollTally<object>(10);
    for (let n = 0; n < 3; n += 1) tally.add({ ...access, tsc: BigInt(n + 1) }, register);
    tally.breakOff();
    for (let n = 0; n < 2; n += 1) tally.add({ ...access, tsc: BigInt(n + 5) }, register);
    expect(tally.result(tell as never)).toMatchObject([{ polls: 1, reads: 3 }]);
  });

  test("those with most reads come first, with their register's and their code's words", () => {
    const tally = new PollTally<{ name: string }>(10);
    const other = { name: "CTRL" };
    for (const [count, which, site] of [
      [3, register, 1n],
      [5, other, 2n],
      [4, register, 3n],
    ] as const) {
      for (let n = 0; n < count; n += 1) tally.add({ ...access, site, address: site }, which);
    }
    const common = { device: "0000:00:04.0", driver: "e1000", bar: 0, offset: "0x8", polls: 1, duration_s: 0 };
    expect(tally.result(tell)).toEqual([
      { ...common, register: "CTRL", site: "2", reads: 5, longest: 5 },
      { ...common, register: "STATUS", site: "3", reads: 4, longest: 4 },
      { ...common, register: "STATUS", site: "1", reads: 3, longest: 3 },
    ]);
  });
});
