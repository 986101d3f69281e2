// Shared by all imports of foreign logs: cutting bytes into lines, limits, counting, and writing records and updates into
// a trace in their order. Bounded memory: a chunk of text and its records.
import { latin1 } from "../../base/bytes.js";
import { FormatError, messageOf, UserError } from "../../base/errors.js";
import { sleep } from "../../base/turns.js";
import { countOf } from "../../base/units.js";
import { noCpu } from "../event-task.js";
import type { TraceWriter } from "../file/writer.js";
import type { LossReport } from "../ftrace-lines.js";
import type { TraceHeader, TraceSummary, TraceUpdate } from "../header.js";
import { RecordKind } from "../record.js";
import { LineFields } from "./line-fields.js";
import { importClock_hz } from "./log-clock.js";
import { RecordBuffer } from "./record-buffer.js";
import type { UnknownLines } from "./unknown-lines.js";

/** Greatest length of a log's line. Its text fits into the records of one event, which no block's end divides. */
export const lineMax_bytes = 16 << 10;
/** Most mappings alive at the same time, in any log. */
export const livingMappingsMax = 16_384;
const newline = 0x0a;
const carriageReturn = 0x0d;
/** Length of a line's part in a message. */
const shownMax_chars = 60;

export interface ImportTotals {
  lines: number;
  accesses: number;
  lost: number;
  /** Places where events were lost, and the log doesn't say how many. */
  lostUncounted: number;
  escaped: number;
  mappings: number;
  /** Lines without known meaning; each format decides what to do with them. */
  unknownLines: number;
  /** Lines that were understood, though no kernel writes them like that. */
  unusualLines: number;
}

export type ImportPiece = { records: Uint8Array } | { update: TraceUpdate };

/** A reader of one format. Give it chunks of bytes with `push`, then call `finish`; take the results with `pieces`. */
export abstract class TextImport {
  /** The file's name in messages. */
  readonly name: string;
  readonly totals: ImportTotals = {
    lines: 0,
    accesses: 0,
    lost: 0,
    lostUncounted: 0,
    escaped: 0,
    mappings: 0,
    unknownLines: 0,
    unusualLines: 0,
  };
  /** The reasons why the trace is incomplete, one sentence each. */
  readonly incomplete: string[] = [];
  /** Remarks about the result for the user, one sentence each. */
  readonly notes: string[] = [];
  /** Those that are true of the trace for good, and stay in it. */
  private readonly lasting: string[] = [];
  /** The log has a line of this format. */
  protected hasOwnLine = false;
  protected abstract readonly unknown: UnknownLines;
  protected readonly records = new RecordBuffer();
  protected readonly fields = new LineFields();
  private readonly made: ImportPiece[] = [];
  private carried: Uint8Array = new Uint8Array();

  constructor(name: string) {
    this.name = name;
  }

  /** The trace's header; undefined while too little was read. Defined after `finish`. */
  abstract get header(): TraceHeader | undefined;

  /** Reads one line, `bytes[from]` to `bytes[end - 1]`, without its end. Throws FormatError. */
  protected abstract takeLine(bytes: Uint8Array, from: number, end: number): void;

  /** Takes a last line without its end, which may be half a line. A line that proves whole isn't incomplete. */
  protected abstract takeLastLine(bytes: Uint8Array, from: number, end: number): void;

  /** Takes a chunk. The bytes may be reused afterwards. Throws FormatError. */
  push(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.carried.length > 0) {
      bytes = new Uint8Array(this.carried.length + chunk.length);
      bytes.set(this.carried);
      bytes.set(chunk, this.carried.length);
    }
    let from = 0;
    for (;;) {
      const next = bytes.indexOf(newline, from);
      if (next < 0) break;
      this.totals.lines += 1;
      if (next - from > lineMax_bytes) throw this.tooLong();
      this.takeLine(bytes, from, next);
      from = next + 1;
    }
    // a copy, even for Node's Buffer, whose slice() makes none
    this.carried = new Uint8Array(bytes.subarray(from));
    if (this.carried.length > lineMax_bytes) {
      this.totals.lines += 1;
      throw this.tooLong();
    }
  }

  /** Ends the log. Throws FormatError. */
  finish(): void {
    if (this.carried.length === 0) return;
    this.totals.lines += 1;
    this.takeLastLine(this.carried, 0, this.carried.length);
    this.carried = new Uint8Array();
  }

  /** Counts a line that begins like none of this format. */
  protected takeForeignLine(bytes: Uint8Array, from: number, end: number): void {
    if (!this.unknown.take(latin1(bytes, from, end), this.totals.lines)) this.totals.unknownLines += 1;
  }

  /** Remarks upon what the log lacks; the trace keeps it. */
  protected noteForGood(...sentences: string[]): void {
    this.notes.push(...sentences);
    this.lasting.push(...sentences);
  }

  /** Tells the lines that weren't understood. Throws FormatError if the whole log had no line of this format. */
  protected endLines({ mayBeEmpty = false } = {}): void {
    const { unknown, totals } = this;
    if (!this.hasOwnLine && !mayBeEmpty)
      throw new FormatError(this.name, `there is no ${unknown.name} in it${unknown.whyNone}`);
    if (totals.unknownLines > 0) this.notes.push(this.unknownLinesSentence(totals.unknownLines));
    this.noteForGood(...unknown.others);
    this.incomplete.push(...unknown.missing);
  }

  /** Describes the lines that look like none of any format. */
  protected unknownLinesSentence(lines: number): string {
    return `${countOf(lines, "line of another kind is", "lines of other kinds are")} left out`;
  }

  /** Returns the pieces made since the last call, in order; valid until the next `push`. */
  pieces(): ImportPiece[] {
    this.flushRecords();
    return this.made.splice(0);
  }

  protected update(update: TraceUpdate): void {
    this.flushRecords();
    this.made.push({ update });
  }

  /** Adds a loss at this place. `flags`: verbatim if the log's line comes back in another way. */
  protected addLoss({ count, cpu }: LossReport, flags = 0): void {
    this.records.add({ kind: RecordKind.lost, cpu: cpu ?? noCpu, value: [count ?? 0n, 0n], flags });
    if (count === undefined) this.totals.lostUncounted += 1;
    else this.totals.lost += Number(count);
  }

  private flushRecords(): void {
    if (!this.records.isEmpty) this.made.push({ records: this.records.take() });
  }

  /** Returns the line's end without a carriage return, which an editor or a terminal may have added. */
  protected withoutReturn(bytes: Uint8Array, from: number, end: number): number {
    return end > from && bytes[end - 1] === carriageReturn ? end - 1 : end;
  }

  private tooLong(): FormatError {
    return this.broken(`the line is longer than ${lineMax_bytes} bytes, which none of this format is`);
  }

  protected broken(what: string): FormatError {
    return new FormatError(this.name, what, { line: this.totals.lines });
  }

  /** Returns the line's first characters for a message. */
  protected shown(bytes: Uint8Array, from: number, end: number): string {
    const text = latin1(bytes, from, Math.min(end, from + shownMax_chars));
    return `"${text.replaceAll(/[^\u0020-\u007e]/g, "·")}${end - from > shownMax_chars ? "…" : ""}"`;
  }

  get summary(): TraceSummary {
    const { accesses, lost, lostUncounted, escaped, mappings } = this.totals;
    const counts = {
      accesses,
      lost,
      ...(lostUncounted === 0 ? {} : { lostUncounted }),
      ...(this.lasting.length === 0 ? {} : { notes: [...this.lasting] }),
      escaped,
      missed: 0,
      unrecorded: 0,
      mappings,
    };
    return { ...counts, incomplete: [...this.incomplete, ...this.gaps()] };
  }

  /** Describes the gaps that the log itself reports. */
  private gaps(): string[] {
    const { lost, lostUncounted, escaped } = this.totals;
    const gaps: string[] = [];
    if (lost > 0) gaps.push(`${countOf(lost, "event was", "events were")} lost when the log was made`);
    if (lostUncounted > 0) {
      gaps.push(`events were lost in ${countOf(lostUncounted, "place")}, and the log doesn't say how many`);
    }
    if (escaped > 0) {
      gaps.push(`${countOf(escaped, "instruction wasn't", "instructions weren't")} understood when the log was made`);
    }
    return gaps;
  }
}

/** Makes a header for another program's recording: unknown facts are empty. */
export function importedHeader(producer: string, changes: Partial<TraceHeader> = {}): TraceHeader {
  return {
    engine: "import",
    producer,
    machine: { host: "", release: "", version: "", architecture: "x86_64" },
    cpu: { model: "", count: 1 },
    clock: { tsc: "0x0", wall_ns: "0x0", tscFrequency_hz: importClock_hz },
    pciFunctions: [],
    modules: [],
    commandLine: [],
    options: { filter: [], relaxed: false, cleanRoom: false, excludeWriteCombining: false, ring_bytes: 0 },
    fence: null,
    ...changes,
  };
}

/**
 * Imports all of `chunks` with `reader` into the trace that `create` makes. With `flushEvery_ms` the trace can be read meanwhile.
 * Throws FormatError for the log's faults, UserError if reading or writing fails.
 */
export async function importText(
  reader: TextImport,
  chunks: AsyncIterable<Uint8Array>,
  create: (header: TraceHeader) => Promise<TraceWriter>,
  flushEvery_ms?: number,
): Promise<TraceWriter> {
  let writer: TraceWriter | undefined;
  const drain = async () => {
    const { header } = reader;
    if (header === undefined) return;
    writer ??= await create(header);
    for (const piece of reader.pieces()) {
      await ("records" in piece ? writer.append(piece.records) : writer.note(piece.update));
    }
  };
  const readAll = async () => {
    for await (const chunk of withPauses(readable(chunks, reader.name), flushEvery_ms)) {
      if (chunk === "pause") await writer?.flush();
      else {
        reader.push(chunk);
        await drain();
      }
    }
    reader.finish();
    await drain();
  };
  try {
    await readAll();
    await writer!.close(reader.summary);
    return writer!;
  } catch (error) {
    if (flushEvery_ms !== undefined) await drain().then(() => writer?.flush());
    await writer?.abandon();
    throw error;
  }
}

/** Yields the chunks, and "pause" where nothing comes, or so much time has passed since the last one. */
async function* withPauses(
  chunks: AsyncIterable<Uint8Array>,
  every_ms: number | undefined,
): AsyncGenerator<Uint8Array | "pause", void, undefined> {
  if (every_ms === undefined) {
    yield* chunks;
    return;
  }
  const iterator = chunks[Symbol.asyncIterator]();
  let last_ms = performance.now();
  let next = iterator.next();
  let isNew = false;
  for (;;) {
    const come = isNew ? await Promise.race([next, sleep(every_ms)]) : await next;
    if (come === undefined || (isNew && performance.now() - last_ms > every_ms)) {
      yield "pause";
      last_ms = performance.now();
      isNew = false;
    }
    if (come === undefined) continue;
    if (come.done === true) return;
    yield come.value;
    isNew = true;
    next = iterator.next();
  }
}

async function* readable(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`reading ${name} failed: ${messageOf(error)}`, { cause: error });
  }
}
