// The times that QEMU writes before the events in its log, with `-msg timestamp=on`: `PID@SECONDS.MICROSECONDS:`, and in newer
// versions `2026-07-07T03:16:22.158759Z ` as GLib formats it, without the fraction where that is 0.
import { countOf } from "../../base/units.js";
import type { TraceHeader } from "../header.js";
import type { LineFields } from "./line-fields.js";

/** Imported time stamps are microseconds, as in all these logs. */
export const importClock_hz = 1_000_000;

/** The pattern of a time before an event. */
export const stampPattern = String.raw`(?:\d+@\d+\.\d{6}:|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?Z )`;

const [zero, colon, dash, point, at, blank] = [0x30, 0x3a, 0x2d, 0x2e, 0x40, 0x20] as const;
const [letterT, letterZ] = [0x54, 0x5a] as const;
const dateTime_chars = "2026-07-07T03:16:22".length;

/** Skips the time before an event, and returns it in microseconds since 1970; undefined, and nothing skipped, without one. */
export function takeStamp_us(fields: LineFields): number | undefined {
  const { bytes, at: from, end } = fields;
  if (from >= end || !isDigit(bytes[from]!)) return undefined;
  const isDate = bytes[from + 4] === dash && bytes[from + 10] === letterT;
  const time_us = isDate ? takeDate_us(fields) : takeProcessTime_us(fields);
  if (time_us === undefined) fields.begin(bytes, from, end);
  return time_us;
}

function takeProcessTime_us(fields: LineFields): number | undefined {
  fields.decimal();
  fields.skip(at);
  if (!fields.sound) return undefined;
  const time_us = fields.time_us();
  fields.skip(colon);
  return fields.sound ? time_us : undefined;
}

function takeDate_us(fields: LineFields): number | undefined {
  const { bytes, at: from, end } = fields;
  let place = from + dateTime_chars;
  if (place >= end || bytes[from + 7] !== dash || bytes[from + 13] !== colon || bytes[from + 16] !== colon)
    return undefined;
  const two = (start: number) => digitsAt(bytes, from + start, 2);
  const [year, month, day] = [digitsAt(bytes, from, 4), two(5), two(8)];
  const [hour, minute, second] = [two(11), two(14), two(17)];
  let fraction_us = 0;
  if (bytes[place] === point) {
    place += 1;
    const start = place;
    for (; place < end && isDigit(bytes[place]!); place += 1) fraction_us = fraction_us * 10 + bytes[place]! - zero;
    if (place === start || place > start + 6) return undefined;
    fraction_us *= 10 ** (start + 6 - place);
  }
  if (bytes[place] !== letterZ || bytes[place + 1] !== blank || place + 1 >= end) return undefined;
  const time_ms = Date.UTC(year, month - 1, day, hour, minute, second);
  if (Number.isNaN(time_ms) || month > 12 || day > 31 || hour > 23 || minute > 59 || second > 60) return undefined;
  fields.begin(bytes, place + 2, end);
  return time_ms * 1000 + fraction_us;
}

const isDigit = (byte: number) => byte >= 0x30 && byte <= 0x39;

/** Reads exactly so many digits; NaN if there is another byte among them. */
function digitsAt(bytes: Uint8Array, from: number, count: number): number {
  let value = 0;
  for (let place = from; place < from + count; place += 1) {
    if (!isDigit(bytes[place]!)) return Number.NaN;
    value = value * 10 + bytes[place]! - zero;
  }
  return value;
}

/**
 * The clock of such a log: time stamps are microseconds since 1970, and the recording begins with the first event. If that one
 * has no time, none has: nobody could say when the recording began.
 */
export class LogClock {
  private first_us: number | undefined;
  /** Events with a time in a log that began without. */
  private ignored = 0;

  /** Converts an event's time to its time stamp; 0 for an event without a time. */
  stampOf(time_us: number | undefined): number {
    this.first_us ??= time_us ?? 0;
    if (time_us === undefined) return 0;
    if (this.first_us === 0) {
      this.ignored += 1;
      return 0;
    }
    return time_us;
  }

  /** The header's clock; defined after the first event. */
  get header(): Pick<TraceHeader, "clock"> | undefined {
    if (this.first_us === undefined) return undefined;
    const hex = (number: bigint) => `0x${number.toString(16)}` as const;
    const clock = { tsc: hex(BigInt(this.first_us)), wall_ns: hex(BigInt(this.first_us) * 1000n) };
    return { clock: { ...clock, tscFrequency_hz: importClock_hz } };
  }

  /** Remarks about missing times. */
  get notes(): string[] {
    if (this.first_us !== 0) return [];
    if (this.ignored === 0) return ["the log has no times"];
    return [`the log's first event has no time: ${countOf(this.ignored, "later time is", "later times are")} left out`];
  }
}
