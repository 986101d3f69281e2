// Quantities as people read them.

/** `1,204` */
export function countText(count: number | bigint): string {
  return count.toLocaleString("en-US");
}

/** `1.5 s`, `12.3 ms`, `7.06 µs`, `250 ns`: three digits. */
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

/** `512 B`, `12.3 KiB`, `1.50 MiB` */
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
