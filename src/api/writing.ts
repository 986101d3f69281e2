// Traces that users write: makes a trace of events. Runs in pages. The events may come from another trace, or be made up: missing
// fields are 0 or empty.
import { TraceCopy } from "../analysis/cut-merge/trace-copy.js";
import { assertUnreachable } from "../base/assert.js";
import { UserError } from "../base/errors.js";
import type { TraceEvent as RoomEvent } from "../trace/events.js";
import type { TraceWriter as RoomWriter } from "../trace/file/writer.js";
import { type Context, type FlagName, flagsOf } from "../trace/flags.js";
import type { TraceHeader, TraceUpdate } from "../trace/header.js";
import { importedHeader } from "../trace/import/log-import.js";
import type { MemoryType } from "../trace/record.js";
import { TraceState } from "../trace/state.js";

/** Fields of all events to be written. `tsc` counts if both times are given. */
export interface NewEventBase {
  /** The time stamp counter: see `header.clock`. */
  readonly tsc?: bigint | undefined;
  /** Seconds since recording began. */
  readonly time_s?: number | null | undefined;
  readonly cpu?: number | undefined;
  readonly pid?: number | undefined;
  /** Default: `task`. */
  readonly context?: Context | undefined;
  readonly flags?: readonly FlagName[] | undefined;
}

/** An instruction's address and symbol. */
export interface NewSite {
  readonly address: bigint;
  /** `function+0x12 [module]` */
  readonly symbol?: string | null | undefined;
}

/** An event to be written. Events of `Trace.events()` are such events, too; unknown ones are refused. */
export type NewEvent = NewEventBase &
  (
    | {
        readonly kind: "read" | "write";
        /** Physical, below 2^52. */
        readonly address: bigint;
        readonly width_bytes: number;
        /** Unsigned, and of no more than `width_bytes`. */
        readonly value: bigint;
        readonly site?: NewSite | null | undefined;
        readonly mapping?: number | undefined;
      }
    | {
        readonly kind: "map";
        /** Not 0, and no other living mapping's. */
        readonly mapping: number;
        readonly address: bigint;
        readonly length_bytes: bigint;
        readonly decoy?: bigint | undefined;
        /** `uncached` unless given. */
        readonly memoryType?: MemoryType | undefined;
        readonly site?: NewSite | null | undefined;
      }
    | {
        readonly kind: "unmap";
        readonly mapping: number;
        readonly address: bigint;
        readonly length_bytes: bigint;
        readonly decoy?: bigint | undefined;
      }
    | { readonly kind: "mark"; readonly text: string }
    | { readonly kind: "lost"; readonly count: number }
    | {
        readonly kind: "escape";
        readonly address: bigint;
        readonly mapping?: number | undefined;
        readonly site?: NewSite | null | undefined;
        /** Hexadecimal digits of at most 15 bytes. */
        readonly instruction: string;
      }
    | {
        readonly kind: "module";
        readonly name: string;
        readonly textAddress: bigint;
        readonly text_bytes: number;
        readonly gone: boolean;
      }
    | { readonly kind: "unknown" }
  );

/** Facts about a trace's end that aren't in its events. */
export interface Ending {
  /** The reasons why the trace is incomplete, one sentence each; default: none. */
  incomplete?: readonly string[];
}

let wrap: (writer: RoomWriter, header: TraceHeader) => TraceWriter;

/**
 * A trace that is being written. Get one from `createTrace()`; a trace that isn't closed has no summary, and counts as cut.
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

  /** Takes the next event: events must come in the order in which they happened. Throws UserError for an impossible one. */
  async add(event: NewEvent): Promise<void> {
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
    const { cpu = 0, pid = 0, context = "task", flags = [] } = event;
    const tsc = event.tsc ?? this.#tscOf(event.time_s ?? 0);
    const base = { number: this.#number, sequence: 0, tsc, cpu, pid, flags: flagsOf(context, flags) };
    switch (event.kind) {
      case "read":
      case "write": {
        const { kind, address, width_bytes, value, mapping = 0 } = event;
        this.#check(Number.isInteger(width_bytes) && width_bytes >= 1, `a width of ${width_bytes} bytes`);
        this.#check(
          value >= 0n && value >> BigInt(8 * width_bytes) === 0n,
          `a value wider than its ${width_bytes} bytes`,
        );
        this.#check(address >= 0n && address < addressEnd, `the address ${address}`);
        return { ...base, kind, address, width_bytes, value, mapping, target: -1, site: this.#siteOf(event.site) };
      }
      case "map": {
        const { kind, mapping, address, length_bytes, decoy = 0n, memoryType = "uncached" } = event;
        return { ...base, kind, mapping, address, length_bytes, decoy, memoryType, site: this.#siteOf(event.site) };
      }
      case "unmap": {
        const { kind, mapping, address, length_bytes, decoy = 0n } = event;
        return { ...base, kind, mapping, address, length_bytes, decoy };
      }
      case "mark":
        return { ...base, kind: "mark", text: event.text };
      case "lost":
        return { ...base, kind: "lost", count: BigInt(event.count) };
      case "escape": {
        const { kind, address, mapping = 0, instruction } = event;
        this.#check(/^([0-9a-f]{2}){0,15}$/.test(instruction), `the instruction ${instruction}`);
        const bytes = Uint8Array.from(instruction.match(/../g) ?? [], (digits) => Number.parseInt(digits, 16));
        return { ...base, kind, address, mapping, site: this.#siteOf(event.site), instruction: bytes };
      }
      case "module": {
        const { kind, name, textAddress, text_bytes, gone } = event;
        return { ...base, kind, name, textAddress, text_bytes, gone };
      }
      case "unknown":
        return this.#refuse("an event of a kind that this version doesn't know");
      default:
        return assertUnreachable(event);
    }
  }

  #tscOf(time_s: number): bigint {
    return BigInt(this.#clock.tsc) + BigInt(Math.round(time_s * this.#clock.tscFrequency_hz));
  }

  #siteOf(site: NewSite | null | undefined): bigint {
    if (site === null || site === undefined) return 0n;
    if (typeof site.symbol === "string") this.#state.nameSite(site.address, site.symbol);
    return site.address;
  }

  #check(holds: boolean, what: string): void {
    if (!holds) this.#refuse(what);
  }

  #refuse(what: string): never {
    throw new UserError(`writing event ${this.#number} failed: ${what} can't be in a trace`);
  }
}

/** Physical addresses are below 2^52. */
const addressEnd = 1n << 52n;

export { wrap as writerOf };

/** The default clock counts nanoseconds. */
const frequency_hz = 1_000_000_000;

/** Completes a header: unknown facts are empty. */
export function headerOf(known: Partial<TraceHeader>, producer: string): TraceHeader {
  const clock = { tsc: "0x0", wall_ns: "0x0", tscFrequency_hz: frequency_hz } as const;
  return importedHeader(producer, { clock, ...known });
}
