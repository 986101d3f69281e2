// tier: quick
// The times before QEMU's events, in both forms, and a log's clock made of them.
import { describe, expect, test } from "vitest";
import { LineFields } from "./line-fields.js";
import { LogClock, stampPattern, takeStamp_us } from "./log-clock.js";

/** Returns the time before a line's event, and the rest of the line. */
function taken(line: string, behind = ""): [time_us: number | undefined, rest: string] {
  const fields = new LineFields();
  fields.begin(Buffer.from(line + behind), 0, line.length);
  const time_us = takeStamp_us(fields);
  return [time_us, fields.rest()];
}

const day_us = Date.UTC(2026, 6, 7) * 1000;
const isStamp = (text: string) => new RegExp(`^${stampPattern}$`).test(text);

describe("a time", () => {
  test.each([
    ["77@1700000000.000100:", 1_700_000_000_000_100],
    ["0@0.000000:", 0],
    ["2026-07-07T00:00:00Z ", day_us],
    ["2026-07-07T00:00:00.000001Z ", day_us + 1],
    ["2026-07-07T00:00:00.5Z ", day_us + 500_000],
    ["2026-07-07T00:00:00.1587Z ", day_us + 158_700],
    ["2026-07-07T03:16:22.158759Z ", day_us + (3 * 3600 + 16 * 60 + 22) * 1e6 + 158_759],
    ["2026-07-07T23:59:59.999999Z ", day_us + 86_399_999_999],
    // a leap second
    ["2026-07-07T23:59:60Z ", day_us + 86_400_000_000],
    ["2026-12-31T00:00:00Z ", Date.UTC(2026, 11, 31) * 1000],
    ["1970-01-01T00:00:01Z ", 1_000_000],
  ])("%s", (stamp, time_us) => {
    expect(taken(`${stamp}event x`)).toEqual([time_us, "event x"]);
    expect(taken(stamp)).toEqual([time_us, ""]);
    expect(isStamp(stamp)).toBe(true);
  });

  test.each([
    "",
    "event",
    "/7@17.000001:",
    ":7@17.000001:",
    "77@17.00001:",
    "77@17.000001;",
    "77@17.000001",
    "77:17.000001:",
    "77@:",
    "2026-07-07T03:16:2Z ",
    "2026-07-07T03:16:2",
    "2026-07-07T03:16:22.158759",
    "2026-07-07T03:16:22.158759Z",
    "2026-07-07T03:16:22.158759Z\t",
    "2026-07-07T03:16:22.158759z ",
    "2026-07-07T03:16:22.Z ",
    "2026-07-07T03:16:22,1Z ",
    "2026-07-07T03:16:22.1587591Z ",
    "2026-07-07T03:16:22+Z ",
    "2026/07-07T03:16:22Z ",
    "2026-07/07T03:16:22Z ",
    "2026-07-07 03:16:22Z ",
    "2026-07-07T03.16:22Z ",
    "2026-07-07T03:16.22Z ",
    "2026-13-07T03:16:22Z ",
    "2026-07-32T03:16:22Z ",
    "2026-07-07T24:16:22Z ",
    "2026-07-07T03:60:22Z ",
    "2026-07-07T03:16:61Z ",
    "202x-07-07T03:16:22Z ",
    "2026-0x-07T03:16:22Z ",
    "2026-07-x7T03:16:22Z ",
    "2026-07-07Tx3:16:22Z ",
    "2026-07-07T03:1/:22Z ",
    "2026-07-07T03:16:2:Z ",
  ])("not this: %s", (line) => {
    expect(taken(line, "0Z 9")).toEqual([undefined, line]);
  });
});

describe("a log's clock", () => {
  test("begins with the first event, in microseconds and nanoseconds since 1970", () => {
    const clock = new LogClock();
    expect(clock.header).toBeUndefined();
    expect([1_700_000_000_000_100, 1_700_000_000_000_350, undefined].map((time) => clock.stampOf(time))).toEqual([
      ...[1_700_000_000_000_100, 1_700_000_000_000_350, 0],
    ]);
    expect(clock.header).toEqual({
      clock: { tsc: "0x60a24181e4064", wall_ns: "0x17979cfe362b86a0", tscFrequency_hz: 1_000_000 },
    });
    expect(clock.notes).toEqual([]);
  });

  test.each([
    [[undefined, undefined], [0, 0], "the log has no times"],
    [[undefined, 5], [0, 0], "the log's first event has no time: 1 later time is left out"],
    [[undefined, 5, undefined, 6], [0, 0, 0, 0], "the log's first event has no time: 2 later times are left out"],
  ])("of events at %j has none", (times, stamps, note) => {
    const clock = new LogClock();
    expect(times.map((time) => clock.stampOf(time))).toEqual(stamps);
    expect(clock.header).toEqual({ clock: { tsc: "0x0", wall_ns: "0x0", tscFrequency_hz: 1_000_000 } });
    expect(clock.notes).toEqual([note]);
  });
});
