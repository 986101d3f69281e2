// An opened trace as the library offers it: what is known of it, its events, its columns. Runs in pages. A thin front of the
// reader (trace/file), the selection (analysis/view) and the filters (analysis/filter).

import { type Filter as CompiledFilter, compileFilter } from "../analysis/filter/filter.js";
import { AccessRegisters, type ChooseDatabase } from "../analysis/view/access-registers.js";
import { followedViews } from "../analysis/view/follow.js";
import {
  type Bound as RoomBound,
  type Selection as RoomSelection,
  selectedViews,
  type ViewBatch,
} from "../analysis/view/selection.js";
import { type AccessColumns, accessColumns } from "../trace/file/access-columns.js";
import { incompleteOf } from "../trace/file/incomplete.js";
import type { TraceReader } from "../trace/file/reader.js";
import type { PciFunction, TraceHeader, TraceSummary } from "../trace/header.js";
import { TraceState } from "../trace/state.js";
import { EventMaker, type Place, placeOf, type TraceEvent } from "./events.js";

export type { AccessColumns } from "../trace/file/access-columns.js";
export type { Bar, Hex, KernelModule, PciFunction, TraceHeader, TraceSummary } from "../trace/header.js";

/** A place in a trace: seconds since recording began, an event's number, or the first marker with this text in it. */
export type Bound = { readonly time_s: number } | { readonly event: number } | { readonly mark: string };

/** The part of a trace that is asked for; all of it where nothing is given. */
export interface Selection {
  /** The first place, included. */
  from?: Bound | undefined;
  /** The last place, included. */
  to?: Bound | undefined;
  /** Only events that fit. Events that tell of lost records always come. */
  filter?: Filter | string | undefined;
}

/** A selection of events to be handed out. */
export interface EventSelection extends Selection {
  /** Whether accesses tell their registers' bit fields, too (`AccessEvent.fields`). Takes time. */
  fields?: boolean | undefined;
}

export interface FollowSelection extends EventSelection {
  /** Ends the walk when it is aborted, without an error. */
  signal?: AbortSignal | undefined;
  /** Time between looks for something new; 200 unless given. */
  every_ms?: number | undefined;
}

/** Where, and why, a trace ends before its end: it was cut, or damaged. */
export interface Damage {
  /** In bytes from the file's start. */
  readonly offset: number;
  readonly what: string;
}

const lookEvery_ms = 200;

let compiledOf: (filter: Filter) => CompiledFilter;

/** A compiled filter expression; docs/filter.md has the language. The same one may be used for many traces. */
export class Filter {
  static {
    compiledOf = (filter) => filter.#compiled;
  }

  readonly expression: string;
  readonly #compiled: CompiledFilter;

  /** Compiles `expression`: `write and register ~ "^[TR]CTL"`. Throws FilterError, which has the column. */
  constructor(expression: string) {
    this.expression = expression;
    this.#compiled = compileFilter(expression);
  }
}

/** A trace's reader and what names its registers: for the other files of this room. */
export interface Internals {
  reader: TraceReader;
  /** A new one for each walk: it remembers what the devices answered. */
  makeRegisters: () => AccessRegisters;
}

let makeTrace: (internals: Internals, notes: readonly string[]) => Trace;
let internalsOf: (trace: Trace) => Internals;

/**
 * An opened trace. Get one from `openTrace()`, and close it when it is done with.
 *
 * Everything that it hands out stays as it is: events are frozen objects, columns are arrays of their own, header and summary are
 * frozen.
 *
 * Methods that read throw UserError where bytes can't be read, and FormatError where they are damaged.
 */
export class Trace {
  static {
    makeTrace = (internals, notes) => new Trace(internals, notes);
    internalsOf = (trace) => trace.#internals;
  }

  /** What was recorded, where and how; 64-bit numbers in it are `0x…` strings. Frozen. */
  readonly header: TraceHeader;
  /** What is to be known about how a log of another format became this trace, a sentence each. */
  readonly notes: readonly string[];
  readonly #internals: Internals;

  private constructor(internals: Internals, notes: readonly string[]) {
    this.#internals = internals;
    this.header = deepFrozen(structuredClone(internals.reader.header));
    this.notes = Object.freeze([...notes]);
  }

  /** The file's name, as messages have it. */
  get name(): string {
    return this.#internals.reader.source.name;
  }

  /** The recorder's own counts at its end; null where the trace was cut, or is still being written. */
  get summary(): TraceSummary | null {
    const { summary } = this.#internals.reader;
    return summary === null ? null : deepFrozen(structuredClone(summary));
  }

  /** The reason why the trace ends before its summary; null where it doesn't. */
  get damage(): Damage | null {
    const { damage } = this.#internals.reader;
    return damage === null ? null : Object.freeze({ ...damage });
  }

  /** Why the trace doesn't have everything that happened, a sentence each; empty where it does. */
  get incomplete(): string[] {
    return incompleteOf(this.#internals.reader);
  }

  /** Events of all kinds found so far, symbols among them. */
  get eventCount(): number {
    return this.#internals.reader.events;
  }

  /** Devices known at the trace's end; the header has those that were there at its beginning. */
  get pciFunctions(): readonly PciFunction[] {
    return deepFrozen(structuredClone([...this.#stateAtEnd().pciFunctions]));
  }

  /** The device, BAR and offset of a physical address at the trace's end; null where it lies in no memory BAR. */
  placeOf(address: bigint): Place | null {
    const place = this.#stateAtEnd().placeOf(address);
    return place === undefined ? null : placeOf(place);
  }

  /** The selected events, in the trace's order. Throws FilterError for a filter that can't be read. */
  async *events(selection: EventSelection = {}): AsyncGenerator<TraceEvent, void, undefined> {
    for await (const batch of this.eventBatches(selection)) yield* batch;
  }

  /** The same in arrays of some thousand events, which is faster by far. No array is empty. */
  async *eventBatches(selection: EventSelection = {}): AsyncGenerator<readonly TraceEvent[], void, undefined> {
    const { reader, makeRegisters } = this.#internals;
    yield* madeEvents(selectedViews(reader, makeRegisters(), roomSelection(selection)), selection);
  }

  /**
   * The selected events of a trace that is being recorded, or still comes through a stream: those that are there and those that
   * come, until the recorder ends it, or `signal` is aborted.
   */
  async *follow(selection: FollowSelection = {}): AsyncGenerator<TraceEvent, void, undefined> {
    const { reader, makeRegisters } = this.#internals;
    const { signal, every_ms = lookEvery_ms } = selection;
    const wait = async () => signal?.aborted !== true && (await sleptWell(every_ms, signal));
    const views = followedViews(reader, makeRegisters(), roomSelection(selection), { wait });
    for await (const batch of madeEvents(views, selection)) {
      for (const event of batch) {
        if (signal?.aborted === true) return;
        yield event;
      }
    }
  }

  /**
   * All accesses as typed arrays, a block of some ten thousand at a time: for computing with millions of them. Nothing is
   * named in them; `placeOf()` names an address.
   */
  async *accessColumns(): AsyncGenerator<AccessColumns, void, undefined> {
    const { reader } = this.#internals;
    const { tsc, tscFrequency_hz } = reader.header.clock;
    for (let number = 0; number < reader.blocks.length; number += 1) {
      const columns = await reader.readColumns(number);
      const { firstEvent } = reader.blocks[number]!;
      yield accessColumns(columns, firstEvent, { start: BigInt(tsc), tscFrequency_hz });
    }
  }

  /** Looks for what was written since the trace was opened or last looked at. Returns whether anything came. */
  async refresh(): Promise<boolean> {
    const { reader } = this.#internals;
    const ended = reader.summary !== null;
    const blocks = await reader.refresh();
    return blocks > 0 || (reader.summary !== null) !== ended;
  }

  /** Closes the file. Nothing can be read afterwards. */
  async close(): Promise<void> {
    await this.#internals.reader.close();
  }

  #stateAtEnd(): TraceState {
    const { reader } = this.#internals;
    const state = new TraceState(reader.header);
    for (const { update } of reader.updates) state.update(update);
    return state;
  }
}

export { internalsOf, makeTrace };

/** A trace for the library's user of a reader; `choose` finds a device's registers. */
export function traceOfReader(reader: TraceReader, choose: ChooseDatabase, notes: readonly string[] = []): Trace {
  return makeTrace({ reader, makeRegisters: () => new AccessRegisters(choose) }, notes);
}

/** The rooms' form of a selection. Throws FilterError. */
export function roomSelection({ from, to, filter }: Selection): RoomSelection {
  const compiled = typeof filter === "string" ? new Filter(filter) : filter;
  return { from: from && roomBound(from), to: to && roomBound(to), filter: compiled && compiledOf(compiled) };
}

function roomBound(bound: Bound): RoomBound {
  if ("time_s" in bound) return { kind: "time", time_s: bound.time_s };
  return "event" in bound ? { kind: "event", number: bound.event } : { kind: "mark", text: bound.mark };
}

async function* madeEvents(
  views: AsyncIterable<ViewBatch>,
  selection: EventSelection,
): AsyncGenerator<readonly TraceEvent[], void, undefined> {
  const maker = new EventMaker(selection);
  for await (const batch of views) {
    let events: TraceEvent[] = [];
    for (const view of batch.views) {
      events.push(maker.make(view));
      if (events.length < batchMax) continue;
      yield Object.freeze(events);
      events = [];
    }
    if (events.length > 0) yield Object.freeze(events);
  }
}

/** Events in an array that is handed out: a block has ten times as many, which are better not all in memory. */
const batchMax = 4_096;

/** Returns false where the signal came first. */
async function sleptWell(time_ms: number, signal: AbortSignal | undefined): Promise<boolean> {
  return new Promise((resolve) => {
    const end = (slept: boolean) => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      resolve(slept);
    };
    const abort = () => end(false);
    const timer = setTimeout(() => end(true), time_ms);
    signal?.addEventListener("abort", abort);
  });
}

function deepFrozen<T>(value: T): T {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const part of Object.values(value)) deepFrozen(part);
  }
  return value;
}
