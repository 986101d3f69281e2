// Makes a trace of events of other traces, for cut and merge: writes them as records, adds symbols before they are needed,
// and counts for the summary.
import { assertUnreachable } from "../../base/assert.js";
import { EventRecords } from "../../trace/event-records.js";
import type { TraceEvent } from "../../trace/events.js";
import type { TraceWriter } from "../../trace/file/writer.js";
import type { PciFunction, TraceHeader, TraceSummary, TraceUpdate } from "../../trace/header.js";
import type { TraceState } from "../../trace/state.js";

const batch_bytes = 1 << 20;

type SymbolSource = Pick<TraceState, "symbolOf">;

export class TraceCopy {
  private readonly writer: TraceWriter;
  private readonly records = new EventRecords();
  /** The symbols that the new trace's reader will know at this point. */
  private readonly symbols = new Map<bigint, string>();
  private readonly counts = { accesses: 0, lost: 0, escaped: 0, unrecorded: 0, mappings: 0 };
  private lostUncounted = 0;
  /** Number of events, without symbols. */
  events = 0;

  constructor(writer: TraceWriter) {
    this.writer = writer;
  }

  /** Takes the next event; `state` knows its sites' symbols. Await the result if there is one. */
  add(event: TraceEvent, state: SymbolSource): Promise<void> | undefined {
    if (event.kind === "symbol") return undefined;
    this.tellSymbols(event, state);
    this.records.add(event);
    this.count(event);
    return this.records.length_bytes >= batch_bytes ? this.flush() : undefined;
  }

  /** Places an update after the events taken so far. */
  async note(update: TraceUpdate): Promise<void> {
    await this.flush();
    await this.writer.note(update);
  }

  async close(rest: Pick<TraceSummary, "missed" | "incomplete" | "notes" | "part">): Promise<void> {
    await this.flush();
    const { lostUncounted } = this;
    await this.writer.close({ ...this.counts, ...(lostUncounted === 0 ? {} : { lostUncounted }), ...rest });
  }

  /** Hands all events taken so far to the writer. */
  async flush(): Promise<void> {
    await this.writer.append(this.records.take());
  }

  private tellSymbols(event: TraceEvent, state: SymbolSource): void {
    if ("site" in event) this.tellSymbolOf(event.site, event, state);
    if ("caller" in event) this.tellSymbolOf(event.caller, event, state);
  }

  private tellSymbolOf(site: bigint, event: TraceEvent, state: SymbolSource): void {
    if (site === 0n) return;
    const text = state.symbolOf(site);
    if (text === undefined || this.symbols.get(site) === text) return;
    this.symbols.set(site, text);
    const { number, sequence, tsc, cpu, pid } = event;
    this.records.add({ kind: "symbol", number, sequence, tsc, cpu, pid, flags: 0, site, text });
  }

  private count(event: TraceEvent): void {
    this.events += 1;
    const { counts } = this;
    switch (event.kind) {
      case "read":
      case "write":
        counts.accesses += 1;
        break;
      case "lost":
        counts.lost += Number(event.count);
        if (event.count === 0n) this.lostUncounted += 1;
        break;
      case "escape":
        counts.escaped += 1;
        break;
      case "unrecorded":
        counts.unrecorded += Number(event.calls);
        break;
      case "map":
        counts.mappings += 1;
        break;
      case "unmap":
      case "mark":
      case "symbol":
      case "module":
      case "interrupt":
      case "dma-map":
      case "dma-unmap":
      case "unknown":
        break;
      default:
        assertUnreachable(event);
    }
  }
}

/** Returns the header with the updates already in it. */
export function updatedHeader(header: TraceHeader, updates: readonly TraceUpdate[]): TraceHeader {
  const functions = new Map(header.pciFunctions.map((found) => [found.address, found]));
  const modules = new Map(header.modules.map((module) => [module.name, module]));
  for (const update of updates) {
    for (const found of update.pciFunctions ?? []) functions.set(found.address, found);
    for (const module of update.modules ?? []) modules.set(module.name, module);
  }
  return { ...header, pciFunctions: sorted(functions.values()), modules: [...modules.values()] };
}

function sorted(functions: Iterable<PciFunction>): PciFunction[] {
  return [...functions].sort((a, b) => (a.address < b.address ? -1 : 1));
}
