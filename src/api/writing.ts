// Traces that users write: makes a trace of events. Runs in pages. The events may come from another trace, or be made up: missing
// fields are 0 or empty.
import { TraceCopy } from "../analysis/cut-merge/trace-copy.js";
import { assertUnreachable } from "../base/assert.js";
import { noCpu } from "../trace/event-task.js";
import type { TraceEvent as RoomEvent } from "../trace/events.js";
import type { TraceWriter as RoomWriter } from "../trace/file/writer.js";
import { flagsOf } from "../trace/flags.js";
import type { TraceHeader, TraceUpdate } from "../trace/header.js";
import { importedHeader } from "../trace/import/log-import.js";
import { type AddressSpace, inSpace } from "../trace/space.js";
import { TraceState } from "../trace/state.js";
import { checkNewEvent } from "./new-event-checks.js";
import type { NewEvent, NewSite } from "./new-events.js";

export type { NewEvent, NewEventBase, NewSite } from "./new-events.js";

/** Facts about a trace's end that aren't in its events. */
export interface Ending {
  /** The reasons why the trace is incomplete, one sentence each; default: none. */
  incomplete?: readonly string[];
}

let wrap: (writer: RoomWriter, header: TraceHeader) => TraceWriter;

/**
 * A trace that is being written. Get one from `createTrace()`, or in a page from `createMemoryTrace()`; a trace that isn't closed has no summary, and counts as cut.
 *
 * Events are collected; `flush()` writes them into the file. Methods throw UserError if the file can't be written; the written
 * part stays readable.
 */
export class TraceWriter {
  static {
    wrap = (writer, header) => new TraceWriter(writer, header);
  }

  readonly #writer: RoomWriter;
  readonly #copy: TraceCopy;
  readonly #clock: TraceHeader["clock"];
  readonly #state = new TraceState();
  #number = 0;

  private constructor(writer: RoomWriter, header: TraceHeader) {
    this.#writer = writer;
    this.#copy = new TraceCopy(writer);
    this.#clock = header.clock;
  }

  /** Takes the next event: events must come in the order in which they happened. Throws InvalidValueError for an impossible one. */
  async add(event: NewEvent): Promise<void> {
    checkNewEvent(event, this.#number);
    const made = this.#eventOf(event);
    await this.#copy.add(made, this.#state);
    this.#number += 1;
  }

  /** Adds devices or modules that came, or changed, from here on. */
  async update(update: TraceUpdate): Promise<void> {
    await this.#copy.note(update);
  }

  /** Writes all events so far into the file, for its followers. */
  async flush(): Promise<void> {
    await this.#copy.flush();
    await this.#writer.flush();
  }

  /** Writes the summary, counted from the events, and closes the file. */
  async close({ incomplete = [] }: Ending = {}): Promise<void> {
    await this.#copy.close({ missed: 0, incomplete: [...incomplete] });
  }

  #eventOf(event: NewEvent): RoomEvent {
    const { flags = [] } = event;
    const isAccess = event.kind === "read" || event.kind === "write";
    const cpu = event.cpu === null && !isAccess ? noCpu : (event.cpu ?? 0);
    const [pid, context] = [event.pid ?? 0, event.context ?? "task"];
    const tsc = event.tsc ?? this.#tscOf(event.time_s ?? null);
    const base = { number: this.#number, sequence: 0, tsc, cpu, pid, flags: flagsOf(context, flags) };
    switch (event.kind) {
      case "read":
      case "write": {
        const { kind, width_bytes, value, mapping = 0 } = event;
        const address = addressOf(event);
        const code = { site: this.#siteOf(event.site), caller: this.#siteOf(event.caller) };
        return { ...base, kind, address, width_bytes, value, mapping, target: -1, ...code };
      }
      case "map": {
        const { kind, mapping, length_bytes, decoy = 0n, memoryType = "uncached" } = event;
        const address = addressOf(event);
        return { ...base, kind, mapping, address, length_bytes, decoy, memoryType, site: this.#siteOf(event.site) };
      }
      case "unmap": {
        const { kind, mapping, length_bytes, decoy = 0n } = event;
        const address = addressOf(event);
        return { ...base, kind, mapping, address, length_bytes, decoy };
      }
      case "mark":
        return { ...base, kind: "mark", text: event.text };
      case "lost":
        return { ...base, kind: "lost", count: BigInt(event.count) };
      case "escape": {
        const { kind, mapping = 0, instruction } = event;
        const address = addressOf(event);
        const bytes = Uint8Array.from(instruction.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
        const code = { site: this.#siteOf(event.site), caller: this.#siteOf(event.caller) };
        return { ...base, kind, address, mapping, ...code, instruction: bytes };
      }
      case "module": {
        const { kind, name, textAddress, text_bytes, gone } = event;
        return { ...base, kind, name, textAddress, text_bytes, gone };
      }
      case "unrecorded": {
        const { kind, address, length_bytes, way, calls = 1 } = event;
        return { ...base, kind, address, length_bytes, way, calls: BigInt(calls), site: this.#siteOf(event.site) };
      }
      case "interrupt": {
        const { kind, phase, device, irq, handled = false, wakesThread = false } = event;
        const site = this.#siteOf(event.site);
        return { ...base, kind, phase, device, irq, vector: event.vector ?? 0, handled, wakesThread, site };
      }
      case "dma-map": {
        const { kind, device, bus, length_bytes, way, direction } = event;
        const code = { site: this.#siteOf(event.site), caller: this.#siteOf(event.caller) };
        const physical = event.physical ?? 0n;
        return { ...base, kind, buffer: 0, device, bus, physical, length_bytes, way, direction, ...code };
      }
      case "dma-unmap": {
        const { kind, device, bus, length_bytes, way, direction } = event;
        const code = { site: this.#siteOf(event.site), caller: this.#siteOf(event.caller) };
        return { ...base, kind, buffers: [], device, bus, length_bytes, way, direction, ...code };
      }
      case "unknown":
        throw new Error("assertion failed: checkNewEvent() refuses unknown events");
      default:
        return assertUnreachable(event);
    }
  }

  #tscOf(time_s: number | null): bigint {
    if (time_s === null) return 0n;
    return BigInt(this.#clock.tsc) + BigInt(Math.round(time_s * this.#clock.tscFrequency_hz));
  }

  #siteOf(site: NewSite | null | undefined): bigint {
    if (site === null || site === undefined) return 0n;
    if (typeof site.symbol === "string") this.#state.nameSite(site.address, site.symbol);
    return site.address;
  }
}

function addressOf({ address, space = "memory" }: { address: bigint; space?: AddressSpace | undefined }): bigint {
  return inSpace(space, address);
}

export { wrap as writerOf };

/** The default clock counts nanoseconds. It begins at 1, because a time stamp of 0 is no time. */
const frequency_hz = 1_000_000_000;

/** Completes a header: unknown facts are empty. */
export function headerOf(known: Partial<TraceHeader>, producer: string): TraceHeader {
  const clock = { tsc: "0x1", wall_ns: "0x0", tscFrequency_hz: frequency_hz } as const;
  return importedHeader(producer, { clock, ...known });
}
