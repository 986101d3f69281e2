// Files made of traces: new ones, parts of others, several as one, other formats; and the comparison with QEMU's log. Node only.
// What takes the place of a file is there whole or not at all.
import { fileURLToPath } from "node:url";
import { cutTrace } from "../../analysis/cut-merge/cut-trace.js";
import { mergeTraces } from "../../analysis/cut-merge/merge-traces.js";
import type { VerifyOptions, VerifyResult } from "../../analysis/verify/verify-result.js";
import { AccessRegisters } from "../../analysis/view/access-registers.js";
import { UserError } from "../../base/errors.js";
import { finishedFile } from "../../base/finished-output.js";
import { producer } from "../../base/version.js";
import { builtInFor } from "../../registers/files/index.js";
import type { TraceHeader } from "../../trace/header.js";
import { type InputFormat, type OutputFormat, outputFormatOf } from "../../trace/import/formats.js";
import { convert as convertFile } from "../../trace/node/convert.js";
import { createTrace as createTraceFile } from "../../trace/node/create-trace.js";
import { withFileSource } from "../../trace/node/file-source.js";
import { verify as verifyBytes, verifyWith } from "../analysis.js";
import type { TraceBytes } from "../open.js";
import { chooserOf, type RegisterChoice } from "../registers.js";
import { internalsOf, roomSelection, type Selection, type Trace } from "../trace.js";
import { headerOf, type TraceWriter, writerOf } from "../writing.js";

export { type OutputFormat, outputFormats } from "../../trace/import/formats.js";

/**
 * Starts a new trace in the file `path`, in place of what was there, readable for its owner alone; `-` is standard output.
 *
 * `header` has what is known: devices (`pciFunctions`) to name addresses by, the clock; time stamps are nanoseconds, and the
 * recording begins at 0, unless it says otherwise. The file can be read, and followed, while it is written. Throws UserError
 * where it can't be made.
 */
export async function createTrace(path: string, header: Partial<TraceHeader> = {}): Promise<TraceWriter> {
  const whole = headerOf(header, producer);
  return writerOf(await createTraceFile(path, whole), whole);
}

/**
 * Writes a part of a trace into a new one at `path`; returns how many events. Times stay what they are, and what is mapped, who the
 * sites are and which devices there are is known in it as in the whole. Where there is a filter, the new trace says in its summary
 * that it isn't complete. Throws UserError, FormatError, FilterError; then nothing is at `path` that wasn't before.
 */
export async function cut(trace: Trace, path: string, selection: Selection): Promise<number> {
  const { reader, makeRegisters } = internalsOf(trace);
  const { filter } = selection;
  const leftOut = filter === undefined ? undefined : typeof filter === "string" ? filter : filter.expression;
  return finishedFile(path, (temporary) =>
    cutTrace(reader, {
      selection: roomSelection(selection),
      registers: makeRegisters(),
      commandLine: [],
      leftOut: leftOut === undefined ? undefined : `only what fits the filter ${leftOut} was kept`,
      create: (header) => createTraceFile(temporary, header, path),
    }),
  );
}

/**
 * Writes all events of several traces of one machine into a new one at `path`, in the order of time; returns how many.
 * Throws UserError where the traces can't be of one machine, FormatError; then nothing is at `path` that wasn't before.
 */
export async function merge(traces: readonly Trace[], path: string): Promise<number> {
  if (traces.length === 0) throw new UserError(`merging into ${path} failed: there are no traces`);
  const readers = traces.map((trace) => internalsOf(trace).reader);
  return finishedFile(path, (temporary) =>
    mergeTraces(readers, { commandLine: [], create: (header) => createTraceFile(temporary, header, path) }),
  );
}

/** How `convert()` is to read and write. */
export interface ConvertOptions {
  /** The input's format; told from its content unless given. */
  from?: InputFormat | undefined;
  /** The output's format; told from its name unless given. */
  to?: OutputFormat | undefined;
  /** What names the registers; the built-in databases unless given. */
  registers?: RegisterChoice | undefined;
}

/** What `convert()` tells of its work. */
export interface ConvertResult {
  /** What is to be known about the result, a sentence each. */
  notes: string[];
  /** Why what was converted isn't complete, a sentence each. */
  incomplete: string[];
}

/**
 * Converts the file `from` to the file `to`: a log of another format to a trace (`.mmt`), and either to mmiotrace's text, JSON Lines,
 * CSV, Parquet, or JSON for Perfetto; docs/convert.md has the formats and columns. `-` is standard input or output.
 * Throws UserError, FormatError; then nothing is at `to` that wasn't before.
 */
export async function convert(from: string, to: string, options: ConvertOptions = {}): Promise<ConvertResult> {
  const format = options.to ?? outputFormatOf(to);
  if (format === undefined) {
    throw new UserError(`converting ${from} failed: the name ${to} doesn't tell a format`, {
      advice: "give the option `to`",
    });
  }
  const { registers } = options;
  const choose = registers === undefined ? builtInFor : chooserOf(registers);
  const makeTell = () => {
    const access = new AccessRegisters(choose);
    return access.see.bind(access);
  };
  return convertFile(from, to, { from: options.from, to: format, makeTell, producer });
}

/**
 * Compares a trace, access by access, with what the devices received by QEMU's own account: its log of
 * `-trace memory_region_ops_*`, by its path or as bytes, not packed. All accesses of both are in memory meanwhile.
 * Throws UserError and FormatError where trace or log can't be read, or where the log doesn't have the trace's fence.
 */
export async function verify(
  trace: Trace,
  truth: string | URL | TraceBytes,
  options: VerifyOptions = {},
): Promise<VerifyResult> {
  if (typeof truth !== "string" && !(truth instanceof URL)) return verifyBytes(trace, truth, options);
  const path = truth instanceof URL ? fileURLToPath(truth) : truth;
  return withFileSource(path, (log) => verifyWith(trace, log, options));
}
