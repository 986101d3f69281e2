// Opens traces in Node: files by their paths, streams of any length, and bytes, of any format.
import { statSync } from "node:fs";
import { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { builtInFor, configurationDatabaseFor } from "../../registers/files/index.js";
import { nodeCodec } from "../../trace/node/codec.js";
import { FileSource, openSource, openTrace as openTraceFile } from "../../trace/node/file-source.js";
import { type Input, inputOf, openAsTrace, openInput } from "../../trace/node/open-log.js";
import { type Opened, type OpenOptions, openBytes, type TraceBytes } from "../open.js";
import { chooserOf } from "../registers.js";
import { type Trace, traceOfReader } from "../trace.js";

/** A path, a `file:` URL, bytes, or a stream of them. */
export type TraceInput = string | URL | TraceBytes | AsyncIterable<Uint8Array>;

/** Options of `openTrace()`. */
export interface NodeOpenOptions extends OpenOptions {
  /** The stream is a trace that is still being written: `Trace.follow()` gives its events as they come. */
  live?: boolean | undefined;
}

/**
 * Opens a trace, or a log of another format, which becomes a trace: mmiotrace's text, QEMU's memory_region_ops and vfio_region logs,
 * ftrace's rwmmio events. Both may be packed with gzip.
 *
 * A trace in a file is read in pieces, at any size; a log, or a stream, goes through a temporary file; bytes stay in memory. A path
 * may be a named pipe, which must then have a trace. The built-in databases name the registers unless `registers` is given.
 *
 * Throws UserError if it can't be read, FormatError if it is no trace, or is damaged within its header. A trace that is cut later
 * can be opened: see `Trace.damage`.
 */
export async function openTrace(input: TraceInput, options: NodeOpenOptions = {}): Promise<Trace> {
  const { reader, notes } = await open(input, options);
  const { registers } = options;
  const choose = registers === undefined ? builtInFor : chooserOf(registers);
  return traceOfReader(reader, { choose, chooseConfiguration: configurationDatabaseFor }, notes);
}

async function open(input: TraceInput, options: NodeOpenOptions): Promise<Opened> {
  if (input instanceof Blob || input instanceof Uint8Array || input instanceof ArrayBuffer) {
    return openBytes(input, options, nodeCodec);
  }
  if (typeof input === "string" || input instanceof URL) {
    const path = input instanceof URL ? fileURLToPath(input) : input;
    if (statSync(path, { throwIfNoEntry: false })?.isFIFO() === true) {
      return { reader: await openTraceFile(path, nameOf(options)), notes: [] };
    }
    return opened(await openInput(path, options), options);
  }
  const { name = "the stream" } = options;
  const stream = Readable.from(input, { objectMode: false });
  if (options.live === true) return { reader: await openSource(FileSource.ofStream(stream, name)), notes: [] };
  const close = () => void stream.destroy();
  const source = { name, chunks: stream, length_bytes: undefined, path: undefined, close };
  return opened(await inputOf(source, options), options);
}

async function opened(input: Input, options: NodeOpenOptions): Promise<Opened> {
  try {
    return await openAsTrace({ ...input, ...nameOf(options) });
  } finally {
    input.close();
  }
}

const nameOf = ({ name }: NodeOpenOptions) => (name === undefined ? {} : { name });
