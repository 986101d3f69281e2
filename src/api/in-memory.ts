// Opens and makes traces in a page: everything stays in its memory, but for files that it was given, which are read piece by piece.
import { streamCodec } from "../trace/file/compression.js";
import { MemorySink } from "../trace/file/sink.js";
import { TraceWriter as RoomWriter } from "../trace/file/writer.js";
import type { TraceHeader } from "../trace/header.js";
import { type OpenOptions, openBytes, type TraceBytes } from "./open.js";
import { type Trace, traceOfReader } from "./trace.js";
import { headerOf, type TraceWriter, writerOf } from "./writing.js";

/** A file that a page was given, bytes, or a stream of them: `(await fetch(url)).body`. */
export type TraceInput = TraceBytes | ReadableStream<Uint8Array>;

/**
 * Opens a trace, or a log of another format, which becomes a trace: mmiotrace's text, QEMU's memory_region_ops and vfio_region logs,
 * ftrace's rwmmio events. Both may be packed with gzip.
 *
 * A trace in a File or Blob is read piece by piece, whatever its size; a packed one, a log and a stream are in memory as a whole.
 * Register databases are files, which pages can't read: registers have no names here.
 *
 * Throws FormatError where it is no trace, or one damaged within its header. A trace that is cut later opens: `Trace.damage`
 * tells.
 */
export async function openTrace(input: TraceInput, options: Omit<OpenOptions, "registers"> = {}): Promise<Trace> {
  const bytes = input instanceof ReadableStream ? await new Response(input).blob() : input;
  const { reader, notes } = await openBytes(bytes, options, streamCodec);
  return traceOfReader(reader, { choose: () => undefined }, notes);
}

/** A trace in memory that is being written. */
export interface MemoryTrace {
  readonly writer: TraceWriter;
  /** The trace's bytes as far as they are written: all of them once the writer is closed. */
  bytes(): Uint8Array<ArrayBuffer>;
}

/**
 * Starts a new trace in memory.
 *
 * `header` has what is known: devices (`pciFunctions`) to name addresses by, the clock; time stamps are nanoseconds, and the
 * recording begins at 1, unless it says otherwise.
 */
export async function createMemoryTrace(header: Partial<TraceHeader> = {}): Promise<MemoryTrace> {
  const whole = headerOf(header, "mmiostrider");
  const sink = new MemorySink();
  const writer = writerOf(await RoomWriter.into(sink, whole, streamCodec), whole);
  return { writer, bytes: () => sink.bytes };
}
