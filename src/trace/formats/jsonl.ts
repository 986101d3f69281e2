// JSON Lines: an object a line, without what the event doesn't have. event-row.ts tells what is in it.
import type { EventRow } from "./event-row.js";

export function jsonLine(row: EventRow): string {
  return `${JSON.stringify(row, (_name, value) => (value === null || value === "" ? undefined : value))}\n`;
}
