// Converts from one format to another: the work of `mmiostrider convert`.
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { assert } from "../../base/assert.js";
import { FormatError, InvalidValueError, messageOf, UserError } from "../../base/errors.js";
import { finishedFile, finishedFolder } from "../../base/finished-output.js";
import { type EventRow, EventRows, traceName } from "../export/event-rows.js";
import { ParquetFile } from "../export/parquet.js";
import { exportText, type RegisterTeller } from "../export/text-export.js";
import { textExportOf } from "../export/text-formats.js";
import { incompleteOf } from "../file/incomplete.js";
import type { TraceReader } from "../file/reader.js";
import type { OutputFormat } from "../import/formats.js";
import { gzip } from "./codec.js";
import { requireTraceName } from "./create-trace.js";
import { type Input, type InputOptions, importInto, openAsTrace, openInput } from "./open-log.js";
import { Output } from "./output.js";
import { PartitionedTrace, type PartitionKey } from "./partitions.js";

/** Most files of one data set. */
const tracesMax = 100_000;

export interface ConvertOptions extends InputOptions {
  to: OutputFormat;
  /** Makes the namer of a trace's registers; called once for each trace. */
  makeTeller?: ((reader: TraceReader) => RegisterTeller) | undefined;
  /** The producer in the written files. */
  producer: string;
}

export interface Converted {
  /** Remarks for the user, one sentence each. */
  notes: string[];
  /** The reasons why the result is incomplete, one sentence each. */
  incomplete: string[];
}

/** Converts `from` to `to`; `-` is standard input or output. Throws UserError; then nothing has changed at `to`. */
export async function convert(from: string, to: string, options: ConvertOptions): Promise<Converted> {
  if (options.to === "parquet" && isPackedName(to)) {
    throw new InvalidValueError(to, `Parquet is packed already: ${to} would be no gzip`, {
      advice: "choose a name without .gz",
    });
  }
  const input = await openInput(from, options);
  try {
    if (options.ranges !== undefined && input.format !== "rwmmio") {
      throw new InvalidValueError(
        from,
        `${input.name} has no virtual addresses that a copy of vmallocinfo could translate`,
      );
    }
    if (options.to === "mmt") {
      if (input.format === "mmt") throw new InvalidValueError(to, `${input.name} is a trace already`);
      requireTraceName(to);
      return await finishedFile(to, (path) => importInto(input, path, { ...options, shownAs: to }));
    }
    const { reader, notes } = await openAsTrace(input, options);
    try {
      if (reader.isTimeless) takeTimeless(options.to, input.name, notes);
      notes.push(...(await finishedFile(to, (path) => exportTrace(reader, input, { path, shownAs: to }, options))));
      return { notes, incomplete: incompleteOf(reader) };
    } finally {
      await reader.close();
    }
  } finally {
    input.close();
  }
}

/** Says how a format shows a log without times. Throws FormatError if it can't. */
function takeTimeless(to: OutputFormat, name: string, notes: string[]): void {
  if (to === "perfetto") {
    throw new FormatError(name, "it has no times, and a time line can't be drawn of it", {
      advice: "JSON Lines, CSV and Parquet leave them out",
    });
  }
  if (to === "mmiotrace") notes.push("mmiotrace's lines need a time: 0.000000 stands for none");
}

const isPackedName = (path: string) => /\.gz$/i.test(path);

/** Exports the trace; returns remarks upon what is left out. */
async function exportTrace(
  reader: TraceReader,
  input: Input,
  to: { path: string; shownAs: string },
  options: ConvertOptions,
): Promise<string[]> {
  const name = traceName(input.name);
  const output = Output.create(to.path, to.shownAs);
  try {
    if (options.to === "parquet") {
      const file = new ParquetFile(output, gzip, options.producer);
      await addRows(reader, name, (row) => file.add(row), options);
      await file.finish();
      return [];
    }
    assert(options.to !== "mmt", "a trace isn't exported");
    const teller = options.makeTeller?.(reader);
    const format = textExportOf(options.to, reader, name, teller?.tell);
    const pieces = exportText(reader, format, options.onProgress, teller?.prepare);
    const write = async (chunks: AsyncIterable<Uint8Array>) => {
      for await (const chunk of chunks) await output.append(chunk);
    };
    if (isPackedName(to.shownAs)) await pipeline(pieces, createGzip(), write);
    else await write(pieces);
    return format.notes?.() ?? [];
  } finally {
    output.close();
  }
}

async function addRows(
  reader: TraceReader,
  name: string,
  add: (row: EventRow) => Promise<void> | undefined,
  { makeTeller, onProgress }: ConvertOptions,
): Promise<void> {
  const teller = makeTeller?.(reader);
  const rows = new EventRows(reader.header, name, teller?.tell);
  for await (const batch of reader.batches()) {
    await teller?.prepare?.(reader, batch);
    const { block, events, state } = batch;
    for (const event of events) {
      const row = rows.row(event, state);
      const written = row && add(row);
      if (written !== undefined) await written;
    }
    onProgress?.(block.firstEvent + block.events, reader.events);
  }
}

/**
 * Makes a data set in the folder `to`, partitioned by `keys`, of the trace `from`, or of all traces in the folder `from` and below
 * it. Throws UserError; then nothing has changed at `to`.
 */
export async function convertPartitioned(
  from: string,
  to: string,
  keys: readonly PartitionKey[],
  options: ConvertOptions,
): Promise<Converted> {
  const paths = isFolder(from) ? filesBelow(from).map((path) => join(from, path)) : [from];
  const result: Converted = { notes: [], incomplete: [] };
  let traces = 0;
  await finishedFolder(to, async (folder) => {
    for (const path of paths) {
      let input: Input;
      try {
        input = await openInput(path, options);
      } catch (error) {
        // A folder may hold other files, too; but a file named by the user must be a trace.
        if (!(error instanceof UserError) || paths.length === 1 || error.name !== "FormatError") throw error;
        result.notes.push(`left out: ${error.message}`);
        continue;
      }
      try {
        const { reader, notes } = await openAsTrace(input, options);
        const label = paths.length === 1 && path === from ? traceName(input.name) : labelOf(path, from);
        result.notes.push(...notes.map((note) => `${path}: ${note}`));
        try {
          await addPartitioned(reader, label, { folder, to, keys, number: traces }, options);
          result.incomplete.push(...incompleteOf(reader).map((what) => `${path}: ${what}`));
        } finally {
          await reader.close();
        }
        traces += 1;
      } finally {
        input.close();
      }
    }
    if (traces === 0)
      throw new UserError(`there is no trace in ${from}`, { advice: result.notes[0] ?? "the folder is empty" });
  });
  return result;
}

async function addPartitioned(
  reader: TraceReader,
  label: string,
  set: { folder: string; to: string; keys: readonly PartitionKey[]; number: number },
  options: ConvertOptions,
): Promise<void> {
  const safe = label.replaceAll(/[^\w.-]/g, "_").slice(0, 100);
  const fileName = `${set.number.toString().padStart(5, "0")}-${safe}.parquet`;
  const part = new PartitionedTrace(set.folder, set.to, set.keys, fileName, options.producer);
  await addRows(reader, label, (row) => part.add(row), options);
  await part.finish();
}

/** Returns a trace's path below the folder, without the format's ending. */
function labelOf(path: string, folder: string): string {
  const below = path.slice(join(folder, "/").length);
  return below.replace(/\.gz$/, "").replace(/\.(mmt|txt|log|mmiotrace)$/, "");
}

/** Returns true if `path` is a folder; false if it doesn't exist. */
export function isFolder(path: string): boolean {
  return path !== "-" && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

/** Lists regular files in the folder and below it, without hidden ones, in the order of their names. */
function filesBelow(folder: string): string[] {
  const found: string[] = [];
  const walk = (below: string) => {
    for (const entry of readdirSync(join(folder, below), { withFileTypes: true })) {
      if (entry.name.startsWith(".")) continue;
      const path = join(below, entry.name);
      if (entry.isDirectory()) walk(path);
      else if (entry.isFile()) found.push(path);
      if (found.length > tracesMax) throw new UserError(`more than ${tracesMax} files in ${folder}`);
    }
  };
  try {
    walk("");
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`looking for traces in ${folder} failed: ${messageOf(error)}`, { cause: error });
  }
  return found.sort();
}
