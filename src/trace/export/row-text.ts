// Formats rows as JSON Lines and CSV: the columns of event-rows.ts, 64-bit addresses and values as "0x…", times as ISO 8601.
import { type ColumnKind, columns, type EventRow } from "./event-rows.js";

/** Returns the cell's text; undefined if the row has none. Numbers are valid JSON, too. */
function cellText(kind: ColumnKind, value: string | number | bigint | undefined): string | undefined {
  if (value === undefined) return undefined;
  if (kind === "bits") return `0x${value.toString(16)}`;
  return kind === "time" ? wallText(value as bigint) : `${value}`;
}

/** Formats `2026-11-23T08:51:44.123456Z`; undefined for a time outside the calendar. */
function wallText(wall_us: bigint): string | undefined {
  const us = ((wall_us % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const second = new Date(Number((wall_us - us) / 1_000n));
  if (Number.isNaN(second.getTime())) return undefined;
  return second.toISOString().replace(/\.\d+Z$/, `.${us.toString().padStart(6, "0")}Z`);
}

const isNumber: Record<ColumnKind, boolean> = {
  text: false,
  int: true,
  long: true,
  bits: false,
  double: true,
  time: false,
};

/** Makes a line of JSON Lines: an object, without the facts that the event doesn't have. */
export function jsonLine(row: EventRow): string {
  let line = "";
  for (const { name, kind } of columns) {
    const text = cellText(kind, row[name]);
    if (text === undefined) continue;
    line += `${line === "" ? "{" : ","}"${name}":${isNumber[kind] ? text : JSON.stringify(text)}`;
  }
  return `${line}}\n`;
}

/** Makes the first line of CSV, the names. CSV is as in RFC 4180, except for the line ends, which are LF. */
export function csvHead(): string {
  return `${columns.map(({ name }) => name).join(",")}\n`;
}

export function csvLine(row: EventRow): string {
  const cells = columns.map(({ name, kind }) => {
    const value = row[name];
    if (value === undefined) return "";
    return kind === "text" ? quotedWhereNeeded(value as string) : (cellText(kind, value) ?? "");
  });
  return `${cells.join(",")}\n`;
}

function quotedWhereNeeded(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
