// Opens an input of any format for reading or converting: a file or standard input, packed with gzip or not. The result is always a
// trace: a log of another format is imported into a temporary one first, which limits the memory needed.
import { createReadStream, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FormatError, messageOf, UserError } from "../../base/errors.js";
import { temporaryFolder } from "../../base/finished-output.js";
import { notesOf } from "../file/incomplete.js";
import type { TraceReader } from "../file/reader.js";
import { detect_bytes, detectInput, type InputFormat } from "../import/formats.js";
import { type Imported, type ImportOptions, importLog } from "../import/import-log.js";
import { createTrace } from "./create-trace.js";
import { openTrace } from "./file-source.js";
import { gunzipped } from "./gunzip.js";
import { Output } from "./output.js";

const chunk_bytes = 1 << 20;

export interface InputOptions extends ImportOptions {
  from?: InputFormat | undefined;
  /** Advice for the user if the format can't be detected. */
  advice?: string | undefined;
  /** Gets the bytes read so far and in all, if known. */
  onProgress?: ((done_bytes: number, whole_bytes: number) => void) | undefined;
}

/** An input whose format is known, not read yet. */
export interface Input {
  /** Name in messages. */
  name: string;
  format: InputFormat;
  /** The whole content, unpacked. */
  chunks: AsyncIterable<Uint8Array>;
  /** The reasons why the content isn't whole; known when all of it was read. */
  incomplete: readonly string[];
  /** Ends it without reading the rest. */
  close(): void;
  /** The path of an unpacked file. */
  path: string | undefined;
}

const unknownFormat =
  "this is no trace of mmiostrider's, and no log of mmiotrace, of QEMU (memory_region_ops, vfio_region) or of ftrace's rwmmio events";

/** Packers other than gzip, by their files' first bytes. */
const packers: readonly { program: string; first: readonly number[] }[] = [
  { program: "xz", first: [0xfd, 0x37, 0x7a, 0x58, 0x5a] },
  { program: "zstd", first: [0x28, 0xb5, 0x2f, 0xfd] },
  { program: "bzip2", first: [0x42, 0x5a, 0x68] },
  { program: "lz4", first: [0x04, 0x22, 0x4d, 0x18] },
];

/** Bytes to read whose format isn't known yet. */
export interface InputSource {
  /** Name in messages. */
  name: string;
  chunks: AsyncIterable<Uint8Array>;
  /** All bytes, where that is known. */
  length_bytes: number | undefined;
  /** The path of a file. */
  path: string | undefined;
  close(): void;
}

/** Opens `path` (`-`: standard input) and detects its format. Throws UserError, FormatError. */
export async function openInput(path: string, options: InputOptions = {}): Promise<Input> {
  return inputOf(sourceAt(path), options);
}

/** A file's or standard input's content, unpacked, whatever it is. */
export type PlainBytes = Pick<Input, "name" | "chunks" | "incomplete" | "close">;

/** Opens `path` (`-`: standard input), packed with gzip or not. Throws UserError, and so do its chunks. */
export async function openBytes(path: string, onProgress?: InputOptions["onProgress"]): Promise<PlainBytes> {
  const source = sourceAt(path);
  const { name, close } = source;
  try {
    const { chunks, incomplete } = await plainBytes(source, onProgress);
    return { name, chunks: withUserErrors(chunks, name), incomplete, close };
  } catch (error) {
    close();
    throw readingFailed(name, error);
  }
}

async function* withUserErrors(chunks: AsyncIterable<Uint8Array>, name: string): AsyncGenerator<Uint8Array> {
  try {
    yield* chunks;
  } catch (error) {
    throw readingFailed(name, error);
  }
}

function readingFailed(name: string, error: unknown): UserError {
  if (error instanceof UserError) return error;
  return new UserError(`reading ${name} failed: ${messageOf(error)}`, { cause: error });
}

function sourceAt(path: string): InputSource {
  const length_bytes = sizeOf(path);
  const stream =
    path === "-"
      ? createReadStream("", { fd: 0, autoClose: false, highWaterMark: chunk_bytes })
      : createReadStream(path, { highWaterMark: chunk_bytes });
  const isFile = path !== "-" && length_bytes !== undefined;
  return {
    name: path === "-" ? "standard input" : path,
    chunks: stream as AsyncIterable<Buffer>,
    length_bytes,
    path: isFile ? path : undefined,
    close: () => stream.destroy(),
  };
}

/** Unpacks a source's content if it is packed; `incomplete` is filled while the chunks are read. */
async function plainBytes(
  { name, chunks, length_bytes }: InputSource,
  onProgress: InputOptions["onProgress"],
): Promise<{ packed: boolean; chunks: AsyncIterable<Uint8Array>; incomplete: string[] }> {
  let done_bytes = 0;
  const counted = (async function* () {
    for await (const chunk of chunks) {
      done_bytes += chunk.length;
      if (length_bytes !== undefined) onProgress?.(done_bytes, length_bytes);
      yield chunk;
    }
  })();
  const raw = await peek(counted, (head) => head.length >= 2);
  const packed = raw.head[0] === 0x1f && raw.head[1] === 0x8b;
  const incomplete: string[] = [];
  const plain = packed ? unpacked(raw.chunks, name, (what) => incomplete.push(what)) : raw.chunks;
  return { packed, chunks: plain, incomplete };
}

/** Tells the format of what comes. Throws UserError, FormatError; then it is closed. */
export async function inputOf(source: InputSource, options: InputOptions = {}): Promise<Input> {
  const { name } = source;
  try {
    const { packed, chunks, incomplete } = await plainBytes(source, options.onProgress);
    const wanted = options.from;
    const plain = await peek(
      chunks,
      (head) => wanted !== undefined || head.length >= detect_bytes || detectInput(head) !== undefined,
    );
    const format = wanted ?? detectInput(plain.head);
    if (format === undefined) {
      if (plain.head.length === 0) throw new FormatError(name, incomplete[0] ?? "the file is empty", { offset: 0 });
      throw notUnderstood(name, plain.head, options.advice);
    }
    const path = packed ? undefined : source.path;
    return { name, format, chunks: plain.chunks, incomplete, close: source.close, path };
  } catch (error) {
    source.close();
    throw readingFailed(name, error);
  }
}

/** Makes the error about an input of unknown format. `advice` is for one that isn't packed. */
function notUnderstood(name: string, head: Uint8Array, advice: string | undefined): FormatError {
  const packer = packers.find(({ first }) => first.every((byte, index) => head[index] === byte));
  const offset = 0;
  if (packer === undefined)
    return new FormatError(name, unknownFormat, { offset, ...(advice === undefined ? {} : { advice }) });
  const { program } = packer;
  return new FormatError(name, `it is packed with ${program}; only gzip is unpacked here`, {
    offset,
    advice: `${program} -dc unpacks it into a pipe, which - reads`,
  });
}

/** Returns a regular file's size; undefined for other kinds. Throws UserError for missing files and for folders. */
function sizeOf(path: string): number | undefined {
  if (path === "-") return undefined;
  try {
    const status = statSync(path);
    if (status.isDirectory()) throw new UserError(`${path} is a folder, not a trace`);
    return status.isFile() ? status.size : undefined;
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`opening ${path} failed: ${messageOf(error)}`, { cause: error });
  }
}

/** Reads until `enough`, or the end; `chunks` gives these bytes again. */
async function peek(
  source: AsyncIterable<Uint8Array>,
  enough: (head: Uint8Array) => boolean,
): Promise<{ head: Uint8Array; chunks: AsyncIterable<Uint8Array> }> {
  const iterator = source[Symbol.asyncIterator]();
  let head: Uint8Array = new Uint8Array();
  while (!enough(head)) {
    const next = await iterator.next();
    if (next.done === true) break;
    head = head.length === 0 ? next.value : Buffer.concat([head, next.value]);
  }
  const chunks = (async function* () {
    if (head.length > 0) yield head;
    for (;;) {
      const next = await iterator.next();
      if (next.done === true) return;
      yield next.value;
    }
  })();
  return { head, chunks };
}

/** Unpacks gzip; tells `onGap` why the content isn't whole. Throws FormatError for damage. */
async function* unpacked(
  chunks: AsyncIterable<Uint8Array>,
  name: string,
  onGap: (what: string) => void,
): AsyncGenerator<Uint8Array> {
  try {
    yield* gunzipped(chunks, (_gap, what) => onGap(what));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code?.startsWith("Z_") !== true) throw error;
    throw new FormatError(name, `it can't be unpacked: ${messageOf(error)}`, { advice: "gunzip -t tests the file" });
  }
}

/** Imports a log into the trace `path`, called `shownAs` in messages. Throws UserError. */
export async function importInto(
  input: Input,
  path: string,
  options: InputOptions & { shownAs?: string | undefined },
): Promise<Imported> {
  return importLog(input, options, (header) => createTrace(path, header, options.shownAs));
}

/** A trace to read, with remarks for the user about its origin. */
export interface OpenedTrace {
  reader: TraceReader;
  notes: string[];
}

/** Opens any input as a trace. The caller closes its reader. Throws UserError, FormatError. */
export async function openAsTrace(input: Input, options: InputOptions = {}): Promise<OpenedTrace> {
  if (input.format === "mmt" && input.path !== undefined) {
    input.close();
    const reader = await openTrace(input.path);
    return { reader, notes: notesOf(reader) };
  }
  const shownAs = `the temporary trace in ${tmpdir()}`;
  return temporaryFolder(async (folder) => {
    const path = join(folder, "imported.mmt");
    let notes: string[] | undefined;
    if (input.format === "mmt") await copy(input, path, shownAs);
    else notes = (await importInto(input, path, { ...options, shownAs })).notes;
    // The reader keeps its descriptor.
    const incomplete = input.format === "mmt" ? input.incomplete : [];
    const reader = await openTrace(path, { name: input.name, incomplete });
    return { reader, notes: notes ?? notesOf(reader) };
  });
}

async function copy(input: Input, path: string, shownAs: string): Promise<void> {
  const output = Output.create(path, shownAs);
  try {
    for await (const chunk of input.chunks) await output.append(chunk);
  } finally {
    output.close();
  }
}
