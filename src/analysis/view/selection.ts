// Selects a part of a trace: a range, and the events in it that fit a filter. Walks through the selection, and decodes only
// the blocks that can hold any of it; of the others it checks the checksums, so that no damaged trace is called complete.
import { InvalidValueError } from "../../base/errors.js";
import type { TraceEvent } from "../../trace/events.js";
import type { BlockInfo, TraceReader } from "../../trace/file/reader.js";
import { isLacking, type LackableFact, type TraceHeader } from "../../trace/header.js";
import type { TraceState } from "../../trace/state.js";
import { deviceFields, factsOfFields } from "../filter/fields.js";
import type { Filter } from "../filter/filter.js";
import type { AccessRegisters } from "./access-registers.js";
import { EventView } from "./event-view.js";
import { learnAhead, learnFromBlock } from "./learn-from-block.js";

/** A place in a trace: a time since recording began, an event's number, or the first marker that contains a text. */
export type Bound =
  | { kind: "time"; time_s: number }
  | { kind: "event"; number: number }
  | { kind: "mark"; text: string };

export interface Selection {
  /** Both included. */
  from?: Bound | undefined;
  to?: Bound | undefined;
  filter?: Filter | undefined;
  /** A marker of `from` or `to` that isn't found is an error, not an empty or an open range. */
  marksMustOccur?: boolean;
}

export interface ViewBatch {
  block: BlockInfo;
  state: TraceState;
  /** The same object for every event; walk through it once. */
  views: Iterable<EventView>;
}

/** Decides if events lie within bounds; must be asked for each event in order. */
export class Range {
  private readonly from: Bound | undefined;
  private readonly to: Bound | undefined;
  private readonly fromTsc: bigint | undefined;
  private readonly toTsc: bigint | undefined;
  private begun: boolean;
  private ended = false;
  private lastTsc = 0n;
  private somethingOutside = false;

  constructor(header: TraceHeader, { from, to }: Selection) {
    this.from = from;
    this.to = to;
    this.fromTsc = from?.kind === "time" ? tscOf(header, from.time_s) : undefined;
    this.toTsc = to?.kind === "time" ? tscOf(header, to.time_s) : undefined;
    this.begun = from?.kind !== "mark";
  }

  /** True if an event or a block outside the bounds was asked for. */
  get leavesOut(): boolean {
    return this.somethingOutside;
  }

  contains(event: TraceEvent): boolean {
    const isInside = this.isInside(event);
    if (!isInside) this.somethingOutside = true;
    return isInside;
  }

  private isInside(event: TraceEvent): boolean {
    // Lines without a time in the kernel's text happened at the time of the event before.
    const tsc = event.tsc === 0n ? this.lastTsc : event.tsc;
    this.lastTsc = tsc;
    if (!this.begun) this.begun = isMark(event, this.from);
    if (!this.begun || this.ended) return false;
    if (this.fromTsc !== undefined && tsc < this.fromTsc) return false;
    if (this.toTsc !== undefined && tsc > this.toTsc) return false;
    if (this.from?.kind === "event" && event.number < this.from.number) return false;
    if (this.to?.kind === "event" && event.number > this.to.number) return false;
    // A marker belongs to the range that it ends and to the one that it begins.
    if (this.to?.kind === "mark" && isMark(event, this.to)) this.ended = true;
    return true;
  }

  /** The text of a marker that is a bound and wasn't found by now. */
  get missingMark(): string | undefined {
    const { from, to } = this;
    if (!this.begun && from?.kind === "mark") return from.text;
    return !this.ended && to?.kind === "mark" ? to.text : undefined;
  }

  /** Returns true if anything in a block may lie within the bounds. */
  reaches(block: BlockInfo): boolean {
    const isReached = this.mayReach(block);
    if (!isReached) this.somethingOutside = true;
    return isReached;
  }

  private mayReach(block: BlockInfo): boolean {
    const { from, to } = this;
    if (this.ended) return false;
    if (from?.kind === "event" && block.firstEvent + block.events <= from.number) return false;
    if (to?.kind === "event" && block.firstEvent > to.number) return false;
    if (this.fromTsc !== undefined && block.tscMax < this.fromTsc && block.tscMin !== 0n) return false;
    return this.toTsc === undefined || block.tscMin <= this.toTsc;
  }
}

function isMark(event: TraceEvent, bound: Bound | undefined): boolean {
  return event.kind === "mark" && bound?.kind === "mark" && event.text.includes(bound.text);
}

/** More than there are 64-bit time stamps. */
const ticksMax = 2 ** 65;

/** Returns the first time stamp that isn't printed as before `time_s`, to the nanosecond. */
function tscOf(header: TraceHeader, time_s: number): bigint {
  // Times beyond all possible time stamps needn't be told apart.
  const ticks = Math.min(Math.max(Math.round(time_s * header.clock.tscFrequency_hz), -ticksMax), ticksMax);
  return BigInt(header.clock.tsc) + BigInt(ticks);
}

/**
 * Yields the selected events and LOST events from block `fromBlock` on, a block at a time. Leaves out symbol events, which
 * only help to read the others. `range` keeps its state between several walks. What devices tell about their registers is learned
 * before their first access is named; if more of the trace may come (`growing`), as far as it is in the same block. Throws
 * InvalidValueError for what the log doesn't have, such as a time, and at the end if `marksMustOccur` and one wasn't found.
 */
export async function* selectedViews(
  reader: TraceReader,
  registers: AccessRegisters,
  selection: Selection,
  walk: { fromBlock?: number; range?: Range; growing?: boolean } = {},
): AsyncGenerator<ViewBatch, void, undefined> {
  requireFacts(reader, selection, walk.growing === true);
  const range = walk.range ?? new Range(reader.header, selection);
  const view = new EventView(reader.header, registers);
  let next = walk.fromBlock ?? 0;
  while (next < reader.blocks.length) {
    const block = reader.blocks[next]!;
    if (!range.reaches(block)) {
      if (registers.learnsFrom(reader.header.pciFunctions)) await learnFromBlock(reader, next, registers);
      else await reader.checkBlock(next);
      next += 1;
      continue;
    }
    for await (const batch of reader.batches(next)) {
      await learnAhead(reader, batch, registers, walk.growing);
      yield {
        block: batch.block,
        state: batch.state,
        views: viewsOf(batch.events, batch.state, view, range, selection.filter),
      };
      next += 1;
      const following = reader.blocks[next];
      if (following !== undefined && !range.reaches(following)) break;
    }
  }
  if (selection.marksMustOccur === true) requireMarks(range, reader);
}

/** Throws InvalidValueError if a marker that is a bound didn't occur. */
export function requireMarks({ missingMark }: Range, reader: TraceReader): void {
  if (missingMark === undefined) return;
  const shown = JSON.stringify(missingMark);
  throw new InvalidValueError(missingMark, `${reader.source.name} has no marker with ${shown} in the selected part`);
}

const factNames: Record<LackableFact, string> = {
  cpu: "CPUs",
  pid: "processes",
  context: "contexts",
  flags: "ways of accesses, such as locked,",
  mapping: "mappings",
  address: "physical addresses",
  site: "sites",
};

/** Throws InvalidValueError for a bound or a filter that asks for something that no event of the trace has. */
function requireFacts(reader: TraceReader, { from, to, filter }: Selection, growing: boolean): void {
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
    if (deviceFields.includes(field) && !growing && !knowsDevices(reader)) {
      throw new InvalidValueError(field, `${source.name} has no devices to select by: ${field}`);
    }
  }
}

function knowsDevices({ header, updates }: TraceReader): boolean {
  return header.pciFunctions.length > 0 || updates.some(({ update }) => (update.pciFunctions ?? []).length > 0);
}

function* viewsOf(
  events: Iterable<TraceEvent>,
  state: TraceState,
  view: EventView,
  range: Range,
  filter: Filter | undefined,
): Generator<EventView, void, undefined> {
  for (const event of events) {
    if (event.kind === "symbol") continue;
    view.show(event, state);
    // Lost accesses might have fitted any filter.
    if (range.contains(event) && (filter === undefined || event.kind === "lost" || filter(view))) yield view;
  }
}
