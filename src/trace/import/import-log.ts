// Imports a log of any known format into a trace. Runs in pages.

import { assertUnreachable } from "../../base/assert.js";
import type { TraceWriter } from "../file/writer.js";
import type { TraceHeader } from "../header.js";
import type { VirtualRange } from "../virtual-range.js";
import type { InputFormat } from "./formats.js";
import { importText, type TextImport } from "./log-import.js";
import { MmiotraceImport } from "./mmiotrace.js";
import { QemuImport } from "./qemu.js";
import { RwmmioImport } from "./rwmmio.js";
import { VfioImport } from "./vfio.js";

/** A log whose format is known, not read yet. */
export interface Log {
  /** Name in messages. */
  name: string;
  format: InputFormat;
  /** The whole content, unpacked. */
  chunks: AsyncIterable<Uint8Array>;
  /** The reasons why the content isn't whole; known when all of it was read. */
  incomplete?: readonly string[];
  /** For readers that follow the trace: the longest time from a line's coming to its event's being readable. */
  flushEvery_ms?: number;
}

export interface ImportOptions {
  /** For rwmmio: the kernel's mappings, sorted. */
  ranges?: readonly VirtualRange[] | undefined;
}

export interface Imported {
  /** Remarks about the trace for the user, one sentence each. */
  notes: string[];
  /** The reasons why it is incomplete, one sentence each. */
  incomplete: string[];
}

/** Imports a log into the trace that `create` makes. Throws FormatError for the log's faults, UserError. */
export async function importLog(
  log: Log,
  options: ImportOptions,
  create: (header: TraceHeader) => Promise<TraceWriter>,
): Promise<Imported> {
  const importer = importerFor(log, options);
  const chunks = (async function* () {
    yield* log.chunks;
    importer.incomplete.push(...(log.incomplete ?? []));
  })();
  await importText(importer, chunks, create, log.flushEvery_ms);
  return { notes: importer.notes, incomplete: [...importer.summary.incomplete] };
}

function importerFor({ name, format }: Log, { ranges }: ImportOptions): TextImport {
  switch (format) {
    case "mmiotrace":
      return new MmiotraceImport(name);
    case "qemu":
      return new QemuImport(name);
    case "vfio":
      return new VfioImport(name);
    case "rwmmio":
      return new RwmmioImport(name, ranges);
    case "mmt":
      throw new Error("assertion failed: a trace needs no import");
    default:
      return assertUnreachable(format);
  }
}
