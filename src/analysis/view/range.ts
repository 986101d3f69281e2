// A part of a trace: two bounds, and the decision whether an event lies between them.
import type { TraceEvent } from "../../trace/events.js";
import type { BlockInfo } from "../../trace/file/reader.js";
import type { TraceHeader } from "../../trace/header.js";
import type { Filter } from "../filter/filter.js";

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
  /** A marker that isn't found, and a bound beyond the trace's ends, are errors, not an empty or an open range. */
  boundsMustOccur?: boolean;
}

/** Decides if events lie within bounds; must be asked for each event in order. */
export class Range {
  readonly from: Bound | undefined;
  readonly to: Bound | undefined;
  /** The time stamps of bounds that are times. */
  readonly fromTsc: bigint | undefined;
  readonly toTsc: bigint | undefined;
  private begun: boolean;
  private ended = false;
  private lastTsc = 0n;
  private somethingOutside = false;
  private somethingInside = false;

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

  /** True if no event within the bounds was asked for. */
  get isEmpty(): boolean {
    return !this.somethingInside;
  }

  contains(event: TraceEvent): boolean {
    const isInside = this.isInside(event);
    if (isInside) this.somethingInside = true;
    else this.somethingOutside = true;
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
