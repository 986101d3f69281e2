// Refuses selections that a trace can't answer: filters by facts that it doesn't have, and bounds beyond its ends. An empty result would
// say that nothing fits.
import { InvalidValueError } from "../../base/errors.js";
import { secondsText } from "../../base/units.js";
import type { BlockInfo, TraceReader } from "../../trace/file/reader.js";
import { isLacking, type LackableFact, type PciFunction, timeDigitsOf } from "../../trace/header.js";
import { deviceFields, factsOfFields } from "../filter/fields.js";
import type { EventView } from "./event-view.js";
import type { Range, Selection } from "./range.js";

const factNames: Record<LackableFact, string> = {
  cpu: "CPUs",
  pid: "processes",
  context: "contexts",
  flags: "ways of accesses, such as locked,",
  mapping: "mappings",
  address: "physical addresses",
  site: "sites",
  caller: "callers",
};

/** Throws InvalidValueError for a bound or a filter that asks for something that no event of the trace has. */
export function requireFacts(reader: TraceReader, { from, to, filter }: Selection, growing: boolean): void {
  const { header, source } = reader;
  const bound = [from, to].find((one) => one?.kind === "time");
  const asked = bound?.kind === "time" ? `${bound.time_s}` : filter?.uses?.has("time") === true ? "time" : undefined;
  if (asked !== undefined && reader.isTimeless) {
    throw new InvalidValueError(asked, `${source.name} has no times to select by`, {
      advice: "@1234 is the place of event 1234, mark:TEXT that of a marker",
    });
  }
  for (const field of filter?.uses ?? []) {
    const fact = factsOfFields.get(field);
    if (fact !== undefined && isLacking(header, fact)) {
      throw new InvalidValueError(field, `${source.name} has no ${factNames[fact]} to select by: ${field}`);
    }
    // a growing trace may still learn of a device
    if (!deviceFields.includes(field) || growing) continue;
    const devices = devicesOf(reader);
    if (devices.length === 0)
      throw new InvalidValueError(field, `${source.name} has no devices to select by: ${field}`);
    if (field === "driver" && header.engine === "import" && devices.every(({ driver }) => driver === null)) {
      throw new InvalidValueError(field, `${source.name} has no drivers to select by: ${field}`);
    }
  }
}

function devicesOf({ header, updates }: TraceReader): readonly PciFunction[] {
  return [...header.pciFunctions, ...updates.flatMap(({ update }) => update.pciFunctions ?? [])];
}

/** Fields that a log may have a place for with nothing in it; only its events tell. */
const fieldsOfSites: readonly { field: string; name: string; has: (view: EventView) => boolean }[] = [
  { field: "site", name: "sites", has: ({ site = 0n }) => site !== 0n },
  { field: "module", name: "symbols of sites", has: ({ module }) => module !== undefined },
];

/** The fields of a filter for an imported log that no event within the bounds has had by now. */
export class UnmetFields {
  private readonly name: string;
  private readonly where: string;
  private unmet: typeof fieldsOfSites;

  constructor({ header, source }: TraceReader, { from, to, filter }: Selection) {
    this.name = source.name;
    this.where = from === undefined && to === undefined ? "" : " in the selected part";
    const isAsked = (field: string) => header.engine === "import" && filter?.uses?.has(field) === true;
    this.unmet = fieldsOfSites.filter(({ field }) => isAsked(field));
  }

  /** Takes an event within the bounds. */
  take(view: EventView): void {
    if (this.unmet.length > 0) this.unmet = this.unmet.filter(({ has }) => !has(view));
  }

  /** Throws InvalidValueError if there is such a field at the end: nothing could fit. */
  requireNone(): void {
    const [first] = this.unmet;
    if (first === undefined) return;
    const { field, name } = first;
    throw new InvalidValueError(field, `${this.name} has no ${name} to select by${this.where}: ${field}`);
  }
}

/** Throws InvalidValueError if a marker that is a bound didn't occur, or a bound lies beyond the trace's ends. */
export function requireBounds(range: Range, reader: TraceReader): void {
  const { missingMark } = range;
  const { name } = reader.source;
  if (missingMark !== undefined) {
    const shown = JSON.stringify(missingMark);
    throw new InvalidValueError(missingMark, `${name} has no marker with ${shown} in the selected part`);
  }
  if (!range.isEmpty || reader.events === 0) return;
  if (range.from?.kind === "event" && range.from.number >= reader.events) {
    const number = `${range.from.number}`;
    throw new InvalidValueError(number, `${name} has no event ${number}: its last one is ${reader.events - 1}`);
  }
  const ends = endsOf(reader.blocks);
  if (ends === undefined) return;
  const { from, to, fromTsc, toTsc } = range;
  const digits = timeDigitsOf(reader.header);
  const time = (tsc: bigint) => `${secondsText(reader.secondsSinceStart(tsc), digits)} s`;
  if (from?.kind === "time" && fromTsc! > ends.last) {
    const text = secondsText(from.time_s, digits);
    throw new InvalidValueError(text, `${name} has nothing from ${text} s on: it ends at ${time(ends.last)}`);
  }
  if (to?.kind === "time" && toTsc! < ends.first) {
    const text = secondsText(to.time_s, digits);
    throw new InvalidValueError(text, `${name} has nothing up to ${text} s: it begins at ${time(ends.first)}`);
  }
}

/** Returns the least and the greatest time stamp; undefined if no event has one. */
function endsOf(blocks: readonly BlockInfo[]): { first: bigint; last: bigint } | undefined {
  let ends: { first: bigint; last: bigint } | undefined;
  for (const { tscMin, tscMax } of blocks) {
    if (tscMax === 0n) continue;
    ends ??= { first: tscMin, last: tscMax };
    if (tscMin < ends.first) ends.first = tscMin;
    if (tscMax > ends.last) ends.last = tscMax;
  }
  return ends;
}
