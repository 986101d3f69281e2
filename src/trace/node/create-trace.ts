// Starts a new trace in a file or on standard output. Node only.
import { TraceWriter } from "../file/writer.js";
import type { TraceHeader } from "../header.js";
import { nodeCodec } from "./codec.js";
import { Output } from "./output.js";

/**
 * Starts a trace in the file `path`, which is replaced, or on standard output (`-`).
 * `shownAs`: see Output.create. Throws UserError if that isn't possible.
 */
export async function createTrace(path: string, header: TraceHeader, shownAs?: string): Promise<TraceWriter> {
  return TraceWriter.into(Output.create(path, shownAs), header, nodeCodec);
}
