// A new trace that is whole or doesn't exist, and the messages about it.
import { statSync } from "node:fs";
import { finishedFile, openDescriptor } from "../../base/finished-output.js";
import { incompleteOf } from "../../trace/file/incomplete.js";
import type { TraceReader } from "../../trace/file/reader.js";
import type { TraceWriter } from "../../trace/file/writer.js";
import type { TraceHeader } from "../../trace/header.js";
import { createTrace } from "../../trace/node/create-trace.js";
import { UsageError } from "./exit-code.js";
import { writeJson } from "./json-output.js";
import { TextOutput, untilReaderIsGone } from "./text-output.js";

/** Has `work` write the trace at `path` (`-` is standard output). Returns undefined where the trace's reader went away first. */
export function makeTrace<T>(
  path: string,
  work: (create: (header: TraceHeader) => Promise<TraceWriter>) => Promise<T>,
): Promise<T | undefined> {
  return untilReaderIsGone(() =>
    finishedFile(path, (temporary) => work((header) => createTrace(temporary, header, path))),
  );
}

/** Returns the size of a regular file; null for other kinds, and for missing files. */
export function sizeOfFile(path: string): number | null {
  if (openDescriptor(path) !== undefined) return null;
  const status = statSync(path, { throwIfNoEntry: false });
  return status?.isFile() === true ? status.size : null;
}

interface MadeOptions {
  output: string;
  json?: true;
}

/** Throws UsageError where trace and JSON would both go to standard output. */
export function requireFileForJson({ output, json }: MadeOptions): void {
  if (json === true && openDescriptor(output) === 1) {
    throw new UsageError(`--json and -o ${output} both want standard output`);
  }
}

interface Made {
  events: number;
  inputs: readonly TraceReader[];
  /** Sentences about events of the inputs that were left out: by a filter, and by a range. */
  leftOut?: string | undefined;
  part?: string | undefined;
  /** Events that are in it twice. */
  repeated?: number | undefined;
}

/** Prints the result: as a line on standard error, or as JSON on standard output. */
export async function tellMade(
  { output, json }: MadeOptions,
  { events, inputs, leftOut, part, repeated }: Made,
  line: string,
): Promise<void> {
  if (json !== true) {
    process.stderr.write(`${line}\n`);
    return;
  }
  const incomplete = inputs.flatMap((input) => incompleteOf(input).map((what) => `${input.source.name}: ${what}`));
  if (leftOut !== undefined) incomplete.push(leftOut);
  await writeJson(new TextOutput(), {
    output,
    events,
    bytes: sizeOfFile(output),
    inputs: inputs.map(({ source }) => source.name),
    incomplete,
    ...(part === undefined ? {} : { part }),
    ...(repeated === undefined ? {} : { repeated }),
  });
}
