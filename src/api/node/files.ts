// Files made of traces: new ones, parts of others, several as one, other formats; and the comparison with QEMU's log. Node only.
// A replaced file is the whole new one, or the old one.
import { fileURLToPath } from "node:url";
import { cutTrace } from "../../analysis/cut-merge/cut-trace.js";
import { mergeTraces } from "../../analysis/cut-merge/merge-traces.js";
import type { VerifyOptions, VerifyResult } from "../../analysis/verify/verify-result.js";
import { AccessRegisters } from "../../analysis/view/access-registers.js";
import { tellerOf } from "../../analysis/view/learn-from-block.js";
import { UserError } from "../../base/errors.js";
import { finishedFile } from "../../base/finished-output.js";
import { producer } from "../../base/version.js";
import { builtInFor, configurationDatabaseFor } from "../../registers/files/index.js";
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
 * Starts a new trace in the file `path`, which is replaced, readable for its owner alone; `-` is standard output.
 *
 * `header` has the known facts: devices (`pciFunctions`) for naming addresses, the clock (default: nanoseconds that begin at 1).
 * The file can be read, and followed, while it is written. Throws UserError if it can't be made.
 */
export async function createTrace(path: string, header: Partial<TraceHeader> = {}): Promise<TraceWriter> {
  const whole = headerOf(header, producer);
  return writerOf(await createTraceFile(path, whole), whole);
}

/**
 * Writes a part of a trace into a new one at `path`; returns the number of events. Times stay unchanged, and the mappings, the sites'
 * symbols and the devices are known in it as in the whole. The new trace's summary says which part it is (`part`), and of a filter's
 * that it isn't complete.
 * Throws UserError, FormatError, FilterError; then nothing has changed at `path`.
 */
export async function cut(trace: Trace, path: string, selection: Selection): Promise<number> {
  const { reader, makeRegisters } = internalsOf(trace);
  const { filter } = selection;
  const leftOut = filter === undefined ? undefined : typeof filter === "string" ? filter : filter.expression;
  const { events } = await finishedFile(path, (temporary) =>
    cutTrace(reader, {
      selection: roomSelection(selection),
      registers: makeRegisters(),
      commandLine: [],
      leftOut: leftOut === undefined ? undefined : `only what fits the filter ${leftOut} was kept`,
      create: (header) => createTraceFile(temporary, header, path),
    }),
  );
  return events;
}

/**
 * Writes all events of several traces of one machine into a new one at `path`, in the order of time; returns their number.
 * Throws UserError if the traces can't be of one machine, FormatError; then nothing has changed at `path`.
 */
export async function merge(traces: readonly Trace[], path: string): Promise<number> {
  if (traces.length === 0) throw new UserError(`merging into ${path} failed: there are no traces`);
  const readers = traces.map((trace) => internalsOf(trace).reader);
  const { events } = await finishedFile(path, (temporary) =>
    mergeTraces(readers, { commandLine: [], create: (header) => createTraceFile(temporary, header, path) }),
  );
  return events;
}

/** Options of `convert()`. */
export interface ConvertOptions {
  /** The input's format; detected from its content by default. */
  from?: InputFormat | undefined;
  /** The output's format; detected from its name by default. */
  to?: OutputFormat | undefined;
  /** The register databases; default: the built-in ones. */
  registers?: RegisterChoice | undefined;
}

/** Result of `convert()`. */
export interface ConvertResult {
  /** Remarks about the result, one sentence each. */
  readonly notes: readonly string[];
  /** The reasons why the result is incomplete, one sentence each. */
  readonly incomplete: readonly string[];
}

/**
 * Converts the file `from` to the file `to`: a log of another format to a trace (`.mmt`), and either to mmiotrace's text, JSON Lines,
 * CSV, Parquet, or JSON for Perfetto; docs/convert.md has the formats and columns. `-` is standard input or output.
 * Throws UserError, FormatError; then nothing has changed at `to`.
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
  const makeTeller = () => tellerOf(new AccessRegisters(choose, configurationDatabaseFor));
  return convertFile(from, to, { from: options.from, to: format, makeTeller, producer });
}

/**
 * Compares a trace, access by access, with the accesses that the devices received according to QEMU: its log of
 * `-trace memory_region_ops_*`, by its path, packed with gzip or not, or as unpacked bytes. All accesses of both are in memory meanwhile.
 * Throws UserError and FormatError if trace or log can't be read, or if the log doesn't have the trace's fence.
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
