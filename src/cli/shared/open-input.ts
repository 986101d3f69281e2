// Opens the inputs of the reading commands: a trace, packed with gzip or not, or a log of another format, which first becomes a
// trace in a temporary file.
import { statSync } from "node:fs";
import type { TraceReader } from "../../trace/file/reader.js";
import { openAsItComes } from "../../trace/node/live-log.js";
import { type Input, inputOf, openAsTrace, openInput } from "../../trace/node/open-log.js";
import { Progress } from "./progress.js";

/** Opens `file` of any format, after all of it has come; `-` is standard input. Throws UserError, FormatError. */
export async function openReadable(file: string): Promise<TraceReader> {
  const progress = new Progress(`reading ${file}`);
  try {
    const input = await openInput(file, { onProgress: (done, whole) => progress.update(done, whole) });
    try {
      const { reader, notes } = await openAsTrace(input);
      progress.end();
      tellNotes(input.name, notes);
      return reader;
    } finally {
      input.close();
    }
  } finally {
    progress.end();
  }
}

/** An input that is shown as it comes, if it is a pipe. */
export interface ShownInput {
  reader: TraceReader;
  /** It may still come. */
  live: boolean;
  /** Prints remarks about a log that has come to its end. */
  tellNotes: () => void;
}

/** Does the same for an input to be shown as it comes: of any format; from a pipe, it is read while it is being written. */
export async function openReadableOrLive(file: string): Promise<ShownInput> {
  const status = file === "-" ? undefined : statSync(file, { throwIfNoEntry: false });
  // the files of tracefs have no size
  const isStream = file === "-" || status?.isFIFO() === true || (status?.isFile() === true && status.size === 0);
  if (!isStream) return { reader: await openReadable(file), live: false, tellNotes: () => {} };
  const input = await (file === "-" ? openStandardInput() : openInput(file));
  try {
    const trace = await openAsItComes(input);
    return { reader: trace.reader, live: true, tellNotes: () => tellNotes(input.name, trace.notes) };
  } catch (error) {
    input.close();
    throw error;
  }
}

/** Opens the stream of Node's own: a read of it doesn't keep the program alive after its end, as one by descriptor does. */
function openStandardInput(): Promise<Input> {
  const { stdin } = process;
  const chunks = stdin as AsyncIterable<Buffer>;
  const close = () => void stdin.destroy();
  return inputOf({ name: "standard input", chunks, length_bytes: undefined, path: undefined, close });
}

function tellNotes(name: string, notes: readonly string[]): void {
  for (const note of notes) process.stderr.write(`mmiostrider: ${name}: note: ${note}\n`);
}
