// An event as one flat row, and rows as JSON Lines and CSV, for report.
import type { TraceEvent } from "../events.js";
import { RecordFlag } from "../record.js";
import type { DevicePlace } from "../state.js";

/**
 * Names in the order of the columns. Numbers beyond 2^53 can occur in `address`, `value` and `length_bytes`, which are "0x…"
 * therefore. Null where the event has no such thing.
 */
export interface EventRow {
  event: number;
  /** Since recording began. */
  time_s: number | null;
  cpu: number;
  pid: number;
  /** `task`, `softirq`, `hardirq` or `nmi`. */
  context: string;
  op: TraceEvent["kind"];
  /** PCI address. */
  device: string | null;
  driver: string | null;
  bar: number | null;
  offset: number | null;
  address: string | null;
  width_bytes: number | null;
  value: string | null;
  register: string | null;
  meaning: string | null;
  /** Symbol or address. */
  site: string | null;
  mapping: number | null;
  /** Of a mapping. */
  length_bytes: string | null;
  /** Of lost records. */
  count: number | null;
  /** Of a marker or a module; an escaped instruction's bytes. */
  text: string | null;
  /** `locked`, `string`, `user`, `unordered`, `gone`, `stepped`, `verbatim`, separated by spaces. */
  flags: string;
}

export const rowNames = [
  ...["event", "time_s", "cpu", "pid", "context", "op", "device", "driver", "bar", "offset", "address"],
  ...["width_bytes", "value", "register", "meaning", "site", "mapping", "length_bytes", "count", "text", "flags"],
] as (keyof EventRow)[];

/** What a row says beside the event itself. */
export interface RowContext {
  time_s: number;
  place: DevicePlace | undefined;
  register: string | undefined;
  meaning: string | undefined;
  /** The site's symbol. */
  symbol: string | undefined;
}

const hex = (value: bigint) => `0x${value.toString(16)}`;

const flagNames = ["locked", "string", "user", "unordered", "gone", "stepped", "verbatim"] as const;

export function eventRow(event: TraceEvent, { time_s, place, register, meaning, symbol }: RowContext): EventRow {
  const { number, tsc, cpu, pid, flags, kind } = event;
  const isAccess = kind === "read" || kind === "write";
  const site = "site" in event && event.site !== 0n ? (symbol ?? hex(event.site)) : null;
  return {
    event: number,
    // The kernel's text has no time for what was lost.
    time_s: tsc === 0n ? null : Number(time_s.toFixed(9)),
    ...{ cpu, pid, context: contextOf(flags), op: kind },
    device: place?.function.address ?? null,
    driver: place?.function.driver ?? null,
    bar: place?.bar ?? null,
    offset: place === undefined ? null : Number(place.offset),
    address: "address" in event ? hex(event.address) : null,
    width_bytes: isAccess ? event.width_bytes : null,
    value: isAccess ? hex(event.value) : null,
    register: register ?? null,
    meaning: meaning ?? null,
    site,
    mapping: "mapping" in event ? event.mapping : null,
    length_bytes: "length_bytes" in event ? hex(event.length_bytes) : null,
    count: kind === "lost" ? Number(event.count) : null,
    text: textOf(event),
    flags: flagText(flags),
  };
}

/** Flags by their names, separated by spaces; where the CPU was is `contextOf`'s. */
export function flagText(flags: number): string {
  return flagNames.filter((name) => (flags & RecordFlag[name]) !== 0).join(" ");
}

/** Where the CPU was: `task`, `softirq`, `hardirq` or `nmi`. */
export function contextOf(flags: number): string {
  if (flags & RecordFlag.nmi) return "nmi";
  if (flags & RecordFlag.hardirq) return "hardirq";
  return flags & RecordFlag.softirq ? "softirq" : "task";
}

/** A marker's or a module's text, or an escaped instruction's bytes. */
export function textOf(event: TraceEvent): string | null {
  switch (event.kind) {
    case "mark":
    case "symbol":
      return event.text;
    case "module":
      return event.gone ? `${event.name} went` : event.name;
    case "escape":
      return [...event.instruction].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    default:
      return null;
  }
}

/** JSON Lines: an object a line, without what the event doesn't have. */
export function jsonLine(row: EventRow): string {
  return `${JSON.stringify(row, (_name, value) => (value === null || value === "" ? undefined : value))}\n`;
}

/** CSV as RFC 4180 has it, but for its line ends, which are LF: a line of names, then a line an event. */
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
