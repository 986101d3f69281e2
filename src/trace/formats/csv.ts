// CSV as RFC 4180 has it, but for its line ends, which are LF: a line of names, then a line an event.
import { type EventRow, rowNames } from "./event-row.js";

export function csvHead(): string {
  return `${rowNames.join(",")}\n`;
}

export function csvLine(row: EventRow): string {
  return `${rowNames.map((name) => cell(row[name])).join(",")}\n`;
}

function cell(value: string | number | null): string {
  if (value === null) return "";
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
