// Formats quantities for people.

/** Formats a whole number: `1,204`. Not by toLocaleString(), whose first call takes 30 ms. */
export function countText(count: number | bigint): string {
  return count.toString().replace(/\B(?=(?:\d{3})+$)/g, ",");
}

/** Formats a number with its noun, or noun and verb: `1 record was`, `2,000 records were`. */
export function countOf(count: number | bigint, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 || count === 1n ? one : many}`;
}

/** Formats `1.5 s`, `12.3 ms`, `7.06 µs`, `250 ns`: three digits. */
export function durationText(seconds: number): string {
  for (const [unit, scale] of [
    ["s", 1],
    ["ms", 1e3],
    ["µs", 1e6],
  ] as const) {
    if (Math.abs(seconds) * scale >= 0.9995) return `${threeDigits(seconds * scale)} ${unit}`;
  }
  return `${Math.round(seconds * 1e9)} ns`;
}

function threeDigits(value: number): string {
  const whole = Math.abs(value);
  return value.toFixed(whole >= 99.95 ? 0 : whole >= 9.995 ? 1 : 2);
}

/** Formats `512 B`, `12.3 KiB`, `1.50 MiB`. */
export function bytesText(bytes: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return unit === 0 ? `${bytes} B` : `${threeDigits(value)} ${units[unit]}`;
}

const nanoseconds = 1e9;
const threeDigitsOf = Array.from({ length: 1000 }, (_, value) => value.toString().padStart(3, "0"));

/** Digits behind the point of a time: as many as its clock has. */
export type TimeDigits = 6 | 9;

/** Seconds to the nanosecond, as toFixed(9) has them but several times faster: `0.721540243`; or those of a clock of microseconds. */
export function secondsText(seconds: number, digits: TimeDigits = 9): string {
  return digits === 9 ? nanosecondsText(seconds) : nanosecondsText(seconds).slice(0, digits - 9);
}

function nanosecondsText(seconds: number): string {
  const all_ns = Math.round(seconds * nanoseconds);
  // Speed doesn't matter for fractions of nanoseconds and for negative numbers.
  if (!(all_ns >= 0 && all_ns < Number.MAX_SAFE_INTEGER)) return seconds.toFixed(9);
  const whole_s = Math.floor(all_ns / nanoseconds);
  const rest_ns = all_ns - whole_s * nanoseconds;
  const millis = Math.floor(rest_ns / 1e6);
  const micros = Math.floor(rest_ns / 1e3) - millis * 1e3;
  return `${whole_s}.${threeDigitsOf[millis]}${threeDigitsOf[micros]}${threeDigitsOf[rest_ns % 1e3]}`;
}
