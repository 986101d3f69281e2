// Opens the inputs of the reading commands: a trace, packed with gzip or not, or a log of another format, which first becomes a
// trace in a temporary file.
import { statSync } from "node:fs";
import { FormatError } from "../../base/errors.js";
import type { TraceReader } from "../../trace/file/reader.js";
import { openTrace } from "../../trace/node/file-source.js";
import { openAsTrace, openInput } from "../../trace/node/open-log.js";
import { Progress } from "./progress.js";

/** Opens `file` of any format, after all of it has come; `-` is standard input. Throws UserError, FormatError. */
export async function openReadable(file: string): Promise<TraceReader> {
  const progress = new Progress(`reading ${file}`);
  try {
    const input = await openInput(file, { onProgress: (done, whole) => progress.update(done, whole) });
    try {
      const { reader, notes } = await openAsTrace(input);
      progress.end();
      for (const note of notes) process.stderr.write(`mmiostrider: ${input.name}: note: ${note}\n`);
      return reader;
    } finally {
      input.close();
    }
  } finally {
    progress.end();
  }
}

/** Does the same for an input to be shown as it comes: a pipe, which must have a trace, is read while it is being written. */
export async function openReadableOrLive(file: string): Promise<TraceReader> {
  if (file !== "-" && statSync(file, { throwIfNoEntry: false })?.isFIFO() !== true) return openReadable(file);
  try {
    return await openTrace(file);
  } catch (error) {
    if (!(error instanceof FormatError) || error.offset !== 0) throw error;
    throw new FormatError(error.file, error.what, {
      offset: 0,
      advice:
        error.advice ??
        "a log of another format can't be shown as it comes: put it into a file, or through `mmiostrider convert`",
    });
  }
}
