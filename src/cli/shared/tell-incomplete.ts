// Says what a trace lacks, in the same words for all commands.
import { incompleteOf } from "../../trace/file/incomplete.js";
import type { TraceReader } from "../../trace/file/reader.js";

/** Says on standard error what is missing from the trace. Returns whether anything is. */
export function tellIncomplete(reader: TraceReader): boolean {
  const missing = incompleteOf(reader);
  for (const what of missing) process.stderr.write(`mmiostrider: ${reader.source.name}: incomplete: ${what}\n`);
  return missing.length > 0;
}
