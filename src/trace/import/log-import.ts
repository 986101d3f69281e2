// What importing a foreign log has in common, whatever its format: cutting bytes into lines, limits, counting, and
// getting records and updates into a trace in their order. Bounded memory: a chunk of text and its records.
import { latin1 } from "../../base/bytes.js";
import { FormatError, messageOf, UserError } from "../../base/errors.js";
import type { TraceWriter } from "../file/writer.js";
import type { TraceHeader, TraceSummary, TraceUpdate } from "../header.js";
import { LineFields } from "./line-fields.js";
import { RecordBuffer } from "./record-buffer.js";

/** No line of any log is longer. Its text fits into the records of one event that no block's end tears apart. */
export const lineMax_bytes = 16 << 10;
/** Mappings that live at the same time, in any log. */
export const livingMappingsMax = 16_384;
const newline = 0x0a;
const carriageReturn = 0x0d;
/** What is kept of a line in a message. */
const shownMax_chars = 60;

export interface ImportTotals {
  lines: number;
  accesses: number;
  lost: number;
  escaped: number;
  mappings: number;
  /** Lines that say nothing known about accesses; what becomes of them is the format's choice. */
  unknownLines: number;
  /** Lines that were understood, but that no kernel writes like that. */
  unusualLines: number;
}

export type ImportPiece = { records: Uint8Array } | { update: TraceUpdate };

/** A reader of one format. Give it chunks of bytes with `push`, then `finish`; take what it made with `pieces`. */
export abstract class TextImport {
  /** For messages: the file. */
  readonly name: string;
  readonly totals: ImportTotals = {
    lines: 0,
    accesses: 0,
    lost: 0,
    escaped: 0,
    mappings: 0,
    unknownLines: 0,
    unusualLines: 0,
  };
  /** Why the trace isn't complete, one sentence each. */
  readonly incomplete: string[] = [];
  /** What a user should know about the result, one sentence each. */
  readonly notes: string[] = [];
  protected readonly records = new RecordBuffer();
  protected readonly fields = new LineFields();
  private readonly made: ImportPiece[] = [];
  private carried: Uint8Array = new Uint8Array();

  constructor(name: string) {
    this.name = name;
  }

  /** The trace's header, or undefined where too little was read to say. Defined after `finish`. */
  abstract get header(): TraceHeader | undefined;

  /** Reads one line, `bytes[from]` to `bytes[end - 1]`, without its end. Throws FormatError. */
  protected abstract takeLine(bytes: Uint8Array, from: number, end: number): void;

  /** A last line without its end, which may be half a line. Not `incomplete`'s concern where it is told to be whole. */
  protected abstract takeLastLine(bytes: Uint8Array, from: number, end: number): void;

  /** Throws FormatError. The bytes may be used again afterwards. */
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
    // a copy, even of Node's Buffer, whose slice() is none
    this.carried = new Uint8Array(bytes.subarray(from));
    if (this.carried.length > lineMax_bytes) {
      this.totals.lines += 1;
      throw this.tooLong();
    }
  }

  /** Nothing comes after this. Throws FormatError. */
  finish(): void {
    if (this.carried.length === 0) return;
    this.totals.lines += 1;
    this.takeLastLine(this.carried, 0, this.carried.length);
    this.carried = new Uint8Array();
  }

  /** What was made since the last call, in order; valid until the next `push`. */
  pieces(): ImportPiece[] {
    this.flushRecords();
    return this.made.splice(0);
  }

  protected update(update: TraceUpdate): void {
    this.flushRecords();
    this.made.push({ update });
  }

  private flushRecords(): void {
    if (!this.records.isEmpty) this.made.push({ records: this.records.take() });
  }

  /** The line's end without the carriage return that an editor or a terminal may have put there. */
  protected withoutReturn(bytes: Uint8Array, from: number, end: number): number {
    return end > from && bytes[end - 1] === carriageReturn ? end - 1 : end;
  }

  private tooLong(): FormatError {
    return this.broken(`the line is longer than ${lineMax_bytes} bytes, which none of this format is`);
  }

  protected broken(what: string): FormatError {
    return new FormatError(this.name, what, { line: this.totals.lines });
  }

  /** The line's first characters, for a message. */
  protected shown(bytes: Uint8Array, from: number, end: number): string {
    const text = latin1(bytes, from, Math.min(end, from + shownMax_chars));
    return `"${text.replaceAll(/[^\u0020-\u007e]/g, "·")}${end - from > shownMax_chars ? "…" : ""}"`;
  }

  get summary(): TraceSummary {
    const { accesses, lost, escaped, mappings } = this.totals;
    return { accesses, lost, escaped, missed: 0, mappings, incomplete: [...this.incomplete] };
  }
}

/** A header for what another program recorded: what isn't known is empty. */
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

/** Imported time stamps are microseconds: that is what all these logs have. */
export const importClock_hz = 1_000_000;

/**
 * Reads everything that `chunks` gives through `reader` into the trace that `create` makes.
 * Throws FormatError for the log's faults, UserError where reading or writing fails.
 */
export async function importText(
  reader: TextImport,
  chunks: AsyncIterable<Uint8Array>,
  create: (header: TraceHeader) => Promise<TraceWriter>,
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
  try {
    for await (const chunk of readable(chunks, reader.name)) {
      reader.push(chunk);
      await drain();
    }
    reader.finish();
    await drain();
    await writer!.close(reader.summary);
    return writer!;
  } catch (error) {
    await writer?.abandon();
    throw error;
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
