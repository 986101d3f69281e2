// The library's opened trace: its facts, its events, its columns. Runs in pages. A thin layer over the reader (trace/file), the
// selection (analysis/view) and the filters (analysis/filter).

import { type Filter as CompiledFilter, compileFilter } from "../analysis/filter/filter.js";
import { AccessRegisters, type ChooseDatabase } from "../analysis/view/access-registers.js";
import { followedViews } from "../analysis/view/follow.js";
import type { Bound as RoomBound, Selection as RoomSelection } from "../analysis/view/range.js";
import { selectedViews, type ViewBatch } from "../analysis/view/selection.js";
import { InvalidValueError } from "../base/errors.js";
import { type AccessColumns, accessColumns } from "../trace/file/access-columns.js";
import { incompleteOf } from "../trace/file/incomplete.js";
import type { TraceReader } from "../trace/file/reader.js";
import type { PciFunction, TraceHeader, TraceSummary } from "../trace/header.js";
import { TraceState } from "../trace/state.js";
import { EventMaker, type Place, placeOf, type TraceEvent } from "./events.js";

export type { AccessColumns } from "../trace/file/access-columns.js";
export type { Bar, Hex, KernelModule, PciFunction, TraceHeader, TraceSummary } from "../trace/header.js";

/**
 * A place in a trace: seconds since recording began, an event's number, or the first marker that contains a text. There must be such
 * a marker, except for `Trace.follow()`, which waits for it.
 */
export type Bound = { readonly time_s: number } | { readonly event: number } | { readonly mark: string };

/** The selected part of a trace; default: all of it. */
export interface Selection {
  /** The first place, included. */
  from?: Bound | undefined;
  /** The last place, included. */
  to?: Bound | undefined;
  /** Only events that fit, and all events of lost records. */
  filter?: Filter | string | undefined;
}

/** Options for reading events. */
export interface EventSelection extends Selection {
  /** Accesses also have their registers' bit fields (`AccessEvent.fields`). Takes time. */
  fields?: boolean | undefined;
}

export interface FollowSelection extends EventSelection {
  /** Aborting it ends the walk, without an error. */
  signal?: AbortSignal | undefined;
  /** Time between looks for new events; default: 200. */
  every_ms?: number | undefined;
}

/** The place where a trace is cut or damaged, and the reason. */
export interface Damage {
  /** Bytes from the file's start. */
  readonly offset: number;
  readonly what: string;
}

const lookEvery_ms = 200;

let compiledOf: (filter: Filter) => CompiledFilter;

/** A compiled filter expression; docs/filter.md has the language. It can be used for many traces. */
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

/** A trace's reader and namer of registers: for the other files of this room. */
export interface Internals {
  reader: TraceReader;
  /** Makes a new one for each walk, because it learns from the devices' answers. */
  makeRegisters: () => AccessRegisters;
}

let makeTrace: (internals: Internals, notes: readonly string[]) => Trace;
let internalsOf: (trace: Trace) => Internals;

/**
 * An opened trace. Get one from `openTrace()`, and close it after use.
 *
 * All results stay unchanged: events are frozen objects, columns are new arrays, header and summary are frozen. `refresh()` and
 * `follow()` give `summary`, `damage`, `incomplete`, `eventCount` and `pciFunctions` new values when more of the trace was written; the
 * other properties never change.
 *
 * Methods that read throw UserError if bytes can't be read or the trace is closed, InvalidValueError for a bound without a key or a marker that isn't found. What is damaged is left out: `damage` and
 * `incomplete` tell it.
 */
export class Trace {
  static {
    makeTrace = (internals, notes) => new Trace(internals, notes);
    internalsOf = (trace) => trace.#opened;
  }

  /** The facts about the recording and its machine; 64-bit numbers in it are `0x…` strings. Frozen. */
  readonly header: TraceHeader;
  /** Remarks about the import of a log of another format, one sentence each; of a trace that was imported before, those that it keeps. */
  readonly notes: readonly string[];
  readonly #internals: Internals;
  #closing: Promise<void> | undefined;

  private constructor(internals: Internals, notes: readonly string[]) {
    this.#internals = internals;
    this.header = deepFrozen(structuredClone(internals.reader.header));
    this.notes = Object.freeze([...notes]);
  }

  /** The file's name in messages. */
  get name(): string {
    return this.#internals.reader.source.name;
  }

  /** The recorder's own counts at its end; null if the trace was cut, or is still being written. */
  get summary(): TraceSummary | null {
    const { summary } = this.#internals.reader;
    return summary === null ? null : deepFrozen(structuredClone(summary));
  }

  /**
   * The reason why the trace ends before its summary, else the first damaged place; null if neither was found. Damage within a
   * block is found when the block is read; in its place there is a LOST event with the flag `gone`.
   */
  get damage(): Damage | null {
    const { damage, holes } = this.#internals.reader;
    const found = damage ?? holes[0];
    return found === undefined ? null : Object.freeze({ offset: found.offset, what: found.what });
  }

  /** The reasons why the trace is incomplete, one sentence each; empty if it is complete. */
  get incomplete(): readonly string[] {
    return Object.freeze(incompleteOf(this.#internals.reader));
  }

  /** Number of events found so far, of all kinds, including symbols. */
  get eventCount(): number {
    return this.#internals.reader.events;
  }

  /** The devices known at the trace's end; the header has those of its beginning. */
  get pciFunctions(): readonly PciFunction[] {
    return deepFrozen(structuredClone([...this.#stateAtEnd().pciFunctions]));
  }

  /** Returns the device, BAR and offset of a physical address at the trace's end; null if it is in no memory BAR. */
  placeOf(address: bigint): Place | null {
    const place = this.#stateAtEnd().placeOf(address);
    return place === undefined ? null : placeOf(place);
  }

  /** Yields the selected events, in the trace's order. Throws FilterError for a filter that can't be read. */
  async *events(selection: EventSelection = {}): AsyncGenerator<TraceEvent, void, undefined> {
    for await (const batch of this.eventBatches(selection)) yield* batch;
  }

  /** Yields the same in arrays of some thousand events, which is much faster. No array is empty. */
  async *eventBatches(selection: EventSelection = {}): AsyncGenerator<readonly TraceEvent[], void, undefined> {
    const { reader, makeRegisters } = this.#opened;
    yield* madeEvents(selectedViews(reader, makeRegisters(), roomSelection(selection)), selection);
  }

  /**
   * Yields the selected events of a trace that is being recorded, or still comes through a stream: the present and the coming
   * ones, until the recorder ends it, or `signal` is aborted.
   */
  async *follow(selection: FollowSelection = {}): AsyncGenerator<TraceEvent, void, undefined> {
    const { reader, makeRegisters } = this.#opened;
    const { signal, every_ms = lookEvery_ms } = selection;
    const wait = async () => signal?.aborted !== true && (await sleptWell(every_ms, signal));
    // a marker may still come
    const wanted = { ...roomSelection(selection), boundsMustOccur: false };
    const views = followedViews(reader, makeRegisters(), wanted, { wait });
    for await (const batch of madeEvents(views, selection)) {
      for (const event of batch) {
        if (signal?.aborted === true) return;
        yield event;
      }
    }
  }

  /**
   * Yields all accesses as typed arrays, a block of some ten thousand at a time: for computing with millions of them. They have
   * no names; `placeOf()` names an address.
   */
  async *accessColumns(): AsyncGenerator<AccessColumns, void, undefined> {
    const { reader } = this.#opened;
    const { tsc, tscFrequency_hz } = reader.header.clock;
    for (let number = 0; number < reader.blocks.length; number += 1) {
      const columns = await reader.readColumns(number);
      const { firstEvent } = reader.blocks[number]!;
      yield accessColumns(columns, firstEvent, { start: BigInt(tsc), tscFrequency_hz });
    }
  }

  /** Looks for events written since the trace was opened or last refreshed. Returns true if there are any. */
  async refresh(): Promise<boolean> {
    const { reader } = this.#opened;
    const ended = reader.summary !== null;
    const blocks = await reader.refresh();
    return blocks > 0 || (reader.summary !== null) !== ended;
  }

  /**
   * Closes the file; a second time does nothing. Afterwards methods that read throw UserError; the facts that are properties, and
   * `placeOf()`, stay known.
   */
  async close(): Promise<void> {
    this.#closing ??= this.#internals.reader.close();
    await this.#closing;
  }

  /** Throws UserError if the trace is closed. */
  get #opened(): Internals {
    this.#internals.reader.throwIfClosed();
    return this.#internals;
  }

  #stateAtEnd(): TraceState {
    const { reader } = this.#internals;
    const state = new TraceState(reader.header);
    for (const { update } of reader.updates) state.update(update);
    return state;
  }
}

export { internalsOf, makeTrace };

/** Makes the library's trace of a reader; `choose` finds a device's registers, `chooseConfiguration` those of its configuration space. */
export function traceOfReader(
  reader: TraceReader,
  { choose, chooseConfiguration }: { choose: ChooseDatabase; chooseConfiguration?: ChooseDatabase },
  notes: readonly string[] = [],
): Trace {
  return makeTrace({ reader, makeRegisters: () => new AccessRegisters(choose, chooseConfiguration) }, notes);
}

/** Converts a selection to the rooms' form. Throws FilterError, InvalidValueError. */
export function roomSelection({ from, to, filter }: Selection): RoomSelection {
  const compiled = typeof filter === "string" ? new Filter(filter) : filter;
  const range = { from: from && roomBound(from), to: to && roomBound(to), boundsMustOccur: true };
  return { ...range, filter: compiled && compiledOf(compiled) };
}

function roomBound(bound: Bound): RoomBound {
  if ("time_s" in bound) return { kind: "time", time_s: bound.time_s };
  if ("event" in bound) return { kind: "event", number: bound.event };
  if ("mark" in bound) return { kind: "mark", text: bound.mark };
  const given = Object.keys(bound).join(", ") || "no key";
  throw new InvalidValueError(
    given,
    `a bound with ${given} is no place in a trace: it must have time_s, event or mark`,
  );
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

/** Events in one array: a block has ten times as many, which shouldn't be in memory all at once. */
const batchMax = 4_096;

/** Sleeps; returns false if the signal came first. */
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
