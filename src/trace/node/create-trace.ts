// Starts a new trace in a file or on standard output. Node only.
import { InvalidValueError } from "../../base/errors.js";
import { TraceWriter } from "../file/writer.js";
import type { TraceHeader } from "../header.js";
import { nodeCodec } from "./codec.js";
import { Output } from "./output.js";

/** Throws InvalidValueError for a name that promises gzip: a trace isn't packed again. */
export function requireTraceName(path: string): void {
  if (!/\.gz$/i.test(path)) return;
  throw new InvalidValueError(path, `a trace is packed already: ${path} would be no gzip`, {
    advice: "choose a name without .gz",
  });
}

/**
 * Starts a trace in the file `path`, which is replaced, or on standard output (`-`).
 * `shownAs`: see Output.create. Throws InvalidValueError for a name that ends in .gz, UserError if that isn't possible.
 */
export async function createTrace(path: string, header: TraceHeader, shownAs?: string): Promise<TraceWriter> {
  requireTraceName(shownAs ?? path);
  return TraceWriter.into(Output.create(path, shownAs), header, nodeCodec);
}
