// Reports that a trace is incomplete, in the same words for all commands.
import { incompleteOf } from "../../trace/file/incomplete.js";
import type { TraceReader } from "../../trace/file/reader.js";

/** Prints on standard error why the trace is incomplete. Returns true if it is. */
export function tellIncomplete(reader: TraceReader): boolean {
  const missing = incompleteOf(reader);
  for (const what of missing) process.stderr.write(`mmiostrider: ${reader.source.name}: incomplete: ${what}\n`);
  return missing.length > 0;
}
