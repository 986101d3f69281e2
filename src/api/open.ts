// Opens traces from bytes or from a stream, the inputs that a page can have. Logs of other formats are imported into a trace in
// memory. Runs in pages; api/node/open.ts opens files and streams of any length.
import { FormatError } from "../base/errors.js";
import type { Codec } from "../trace/file/compression.js";
import { notesOf } from "../trace/file/incomplete.js";
import { TraceReader } from "../trace/file/reader.js";
import { MemorySink } from "../trace/file/sink.js";
import { BlobSource, MemorySource } from "../trace/file/source.js";
import { TraceWriter } from "../trace/file/writer.js";
import { detect_bytes, detectInput, type InputFormat } from "../trace/import/formats.js";
import { importLog } from "../trace/import/import-log.js";
import type { RegisterChoice } from "./registers.js";

export type { InputFormat } from "../trace/import/formats.js";

/** Options of `openTrace()`. */
export interface OpenOptions {
  /** The trace's name in messages; default: its path, if any. */
  name?: string | undefined;
  /** The format of a log; detected from its content by default. */
  from?: InputFormat | undefined;
  /** The register databases. */
  registers?: RegisterChoice | undefined;
}

/** Bytes in memory. */
export type TraceBytes = Blob | ArrayBuffer | Uint8Array;

/** A reader, and remarks about the import of a log. */
export interface Opened {
  reader: TraceReader;
  notes: string[];
}

/** Opens bytes, perhaps packed with gzip. Throws FormatError. */
export async function openBytes(
  input: TraceBytes,
  { name, from }: Pick<OpenOptions, "name" | "from">,
  codec: Codec,
): Promise<Opened> {
  const shown = name ?? (typeof File !== "undefined" && input instanceof File ? input.name : "memory");
  let bytes = bytesOf(input);
  const start = await headOf(bytes, 2);
  if (start[0] === 0x1f && start[1] === 0x8b) bytes = await unpacked(blobOf(bytes), shown);
  const head = await headOf(bytes, detect_bytes);
  const format = from ?? detectInput(head);
  if (format === undefined) {
    const what = head.length === 0 ? "the file is empty" : "this is neither a trace nor a log that can be imported";
    throw new FormatError(shown, what, { offset: 0 });
  }
  if (format === "mmt") {
    const source = bytes instanceof Blob ? new BlobSource(bytes, shown) : new MemorySource(bytes, shown);
    const reader = await TraceReader.open(source, codec);
    return { reader, notes: notesOf(reader) };
  }
  const sink = new MemorySink();
  const log = { name: shown, format, chunks: chunksOf(blobOf(bytes).stream()) };
  const { notes } = await importLog(log, {}, (header) => TraceWriter.into(sink, header, codec));
  return { reader: await TraceReader.open(new MemorySource(sink.bytes, shown), codec), notes };
}

export function bytesOf(input: TraceBytes): Blob | Uint8Array {
  return input instanceof ArrayBuffer ? new Uint8Array(input) : input;
}

async function headOf(input: Blob | Uint8Array, length_bytes: number): Promise<Uint8Array> {
  const head = input.slice(0, length_bytes);
  return head instanceof Blob ? new Uint8Array(await head.arrayBuffer()) : head;
}

function blobOf(input: Blob | Uint8Array): Blob {
  return input instanceof Blob ? input : new Blob([input as Uint8Array<ArrayBuffer>]);
}

async function unpacked(packed: Blob, name: string): Promise<Blob> {
  try {
    return await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).blob();
  } catch {
    throw new FormatError(name, "the packed file is cut, or damaged");
  }
}

/** Yields a stream's chunks: not every browser's stream is iterable. */
async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = stream.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    yield value;
  }
}
